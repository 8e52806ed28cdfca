/** Images: windows of a raster, picture files, or arrays of pixels. */
import sharp from 'sharp'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { gather, type NumericValues, stridesOf } from '../arrays/elements.ts'
import { DatasetError, type DatasetPlace } from '../dataset-error.ts'
import { readIfThere } from '../folder-files.ts'
import { bandsProblem, isInside } from '../modality-description.ts'
import { readRaster, windowAround } from '../raster.ts'
import { openArrayRows, textsOfArray } from './array-rows.ts'
import { columnsIn, rowPath } from './row-path.ts'
import type { Described, ModalitySource, Need, SourceOptions } from './source.ts'

// Every picture is read once or twice, an epoch apart.
sharp.cache(false)

/** Another version may decode a JPEG to other pixels. */
export const PICTURE_DECODER = `vips ${sharp.versions.vips}`

type Image = Described<'image'>
type Source<K extends string> = Extract<Image['source'], Readonly<Record<K, unknown>>>
type ImageContent = Extract<ReadingContent, { kind: 'image' }>

export const imageNeeds = ({ file, source }: Image): readonly Need[] => {
  if ('raster' in source) return [{ file, numbers: [source.longitude, source.latitude], texts: [] }]
  if ('column' in source) return [{ file, numbers: [], texts: [source.column] }]
  if ('cube' in source) return [{ file, numbers: [], texts: textsOfArray(source.cube) }]
  return [{ file, numbers: [], texts: source.pictures.flatMap(({ path }) => columnsIn(path)) }]
}

export const imageSource = async (image: Image, options: SourceOptions): Promise<ModalitySource> => {
  const { source } = image
  if ('raster' in source) return windowSource(image, source, options)
  if ('column' in source) return columnSource(image, source, options)
  return 'cube' in source ? cubeSource(image, source, options) : picturesSource(image, source, options)
}

const windowSource = async (
  image: Image,
  at: Source<'raster'>,
  { folder, table }: SourceOptions,
): Promise<ModalitySource> => {
  const raster = await readRaster(folder, at.raster)
  const { width, height } = image
  const problem = bandsProblem(image, raster.channels)
  if (problem !== null) throw new DatasetError('bad-description', problem, { file: `${at.raster}.json` })
  const longitudes = table.numbers.get(at.longitude)!
  const latitudes = table.numbers.get(at.latitude)!
  return {
    template: templateOf(image, raster.channels),
    contentOf: (row) => {
      const [longitude, latitude] = [longitudes.at(row)!, latitudes.at(row)!]
      if (Number.isNaN(longitude + latitude)) return null
      const window = windowAround(raster, { longitude, latitude }, { width, height })
      if (window !== null) return window
      const what = `the ${width} × ${height} window around ${longitude}, ${latitude} leaves ${at.raster}.u8`
      const place = { file: table.file, row: table.lines[row]!, column: at.longitude }
      throw new DatasetError('outside-raster', what, place)
    },
  }
}

const columnSource = (
  image: Image,
  { column, channels }: Source<'column'>,
  { folder, table }: SourceOptions,
): ModalitySource => {
  const files = table.texts.get(column)!
  const read = async (row: number): Promise<ImageContent> => {
    const place = { file: table.file, row: table.lines[row]!, column }
    const file = files[row]!
    if (!isInside(file)) throw new DatasetError('bad-image', `"${file}" is not in the folder`, place)
    const pixels = await readPicture({ folder, file, channels }, image, place)
    return pixels === null ? noPicture(file, place) : contentOf(image, channels, pixels)
  }
  return {
    template: templateOf(image, channels),
    contentOf: (row) => (files[row] === '' ? null : read(row)),
  }
}

const picturesSource = (
  image: Image,
  { pictures, absent }: Source<'pictures'>,
  { folder, table }: SourceOptions,
): ModalitySource => {
  const channels = pictures.reduce((sum, it) => sum + it.channels, 0)
  const read = async (row: number): Promise<ImageContent | null> => {
    const place = { file: table.file, row: table.lines[row]! }
    const files = pictures.map(({ path }) => rowPath(path, table, row))
    if (files.includes(null)) return null
    const all: { readonly channels: number; readonly pixels: Uint8Array }[] = []
    for (const [i, it] of pictures.entries()) {
      const pixels = await readPicture({ folder, file: files[i]!, channels: it.channels }, image, place)
      if (pixels === null) return absent === 'missing' ? null : noPicture(files[i]!, place)
      all.push({ channels: it.channels, pixels })
    }
    return contentOf(image, channels, interleaved(all, channels))
  }
  return { template: templateOf(image, channels), contentOf: read }
}

const cubeSource = async (
  image: Image,
  { cube, axes, channels, range }: Source<'cube'>,
  { folder, table }: SourceOptions,
): Promise<ModalitySource> => {
  const sizes = { y: image.height, x: image.width, channel: channels }
  const shape = axes.map((axis) => sizes[axis as keyof typeof sizes])
  const strides = stridesOf(shape)
  const strideOf = (axis: keyof typeof sizes) => strides[axes.indexOf(axis)]!
  const order = {
    shape: [sizes.y, sizes.x, sizes.channel],
    strides: [strideOf('y'), strideOf('x'), strideOf('channel')],
    offset: 0,
  }
  const rows = await openArrayRows(cube, { folder, table, shape })
  const file = 'path' in cube ? cube.path : cube.file
  return {
    template: templateOf(image, channels),
    contentOf: async (row) => {
      const values = await rows(row)
      if (values === null || values.every(Number.isNaN)) return null
      return contentOf(image, channels, toBytes(gather(values, order), range, { file, column: table.ids[row]! }))
    },
  }
}

/** Whole numbers as they are; those of a range are brought to 0–255, rounded, and cut where they leave it. */
const toBytes = (
  values: NumericValues,
  range: readonly [number, number] | undefined,
  place: DatasetPlace,
): Uint8Array => {
  if (values.some(Number.isNaN)) {
    throw new DatasetError('missing-value', 'an image is there as a whole or not at all', place)
  }
  if (range !== undefined) {
    const [low, high] = range
    return Uint8Array.from(Uint8ClampedArray.from(values, (value) => (255 * (value - low)) / (high - low)))
  }
  const odd = values.find((value) => !(Number.isInteger(value) && value >= 0 && value <= 255))
  if (odd === undefined) return Uint8Array.from(values)
  throw new DatasetError('bad-image', `${odd} is no pixel of 0 to 255; a "range" is needed`, place)
}

const templateOf = ({ name, width, height, patch, bands }: Image, channels: number) =>
  ({ kind: 'image', name, width, height, channels, patch, ...(bands === undefined ? {} : { bands }) }) as const

const contentOf = ({ width, height }: Image, channels: number, pixels: Uint8Array): ImageContent => ({
  kind: 'image',
  width,
  height,
  channels,
  pixels,
})

const noPicture = (file: string, place: DatasetPlace): never => {
  throw new DatasetError('missing-file', `${file}: there is no such file`, place)
}

/** Null when the file isn't there. */
const readPicture = async (
  { folder, file, channels }: { readonly folder: string; readonly file: string; readonly channels: 1 | 3 },
  { width, height, fit }: Image,
  place: DatasetPlace,
): Promise<Uint8Array | null> => {
  const bytes = await readIfThere(folder, file)
  if (bytes === null) return null
  try {
    await requireReadable(bytes)
    // As a station's camera door does it, so that both see equal pixels.
    const upright = sharp(bytes, { failOn: 'error' }).autoOrient().flatten({ background: '#000' })
    const sized =
      fit === 'stretch'
        ? upright.resize(width, height, { fit: 'fill' })
        : upright.extract(await middleOf(bytes, { width, height }))
    const raw = await sized
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer()
    return new Uint8Array(raw)
  } catch (error) {
    const why = error instanceof DatasetError ? `: ${error.message}` : ''
    throw new DatasetError('bad-image', `${file} can't be read${why}`, place, { cause: error })
  }
}

const TIFF_BEGINNINGS = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+']

/**
 * A TIFF may hold anything, and decoders make a picture of it: of a fourth band transparency, of floats black.
 * Only what is a picture already is taken.
 */
const requireReadable = async (bytes: Buffer): Promise<void> => {
  if (!TIFF_BEGINNINGS.includes(bytes.toString('latin1', 0, 4))) return
  const { channels, depth } = await sharp(bytes).metadata()
  if (depth === 'uchar' && (channels === 1 || channels === 3)) return
  const what = `a TIFF of ${channels} × ${depth} is not read, only one of 1 or 3 × uchar (8 bits); make an array of it`
  throw new DatasetError('bad-image', what)
}

/** An odd rest goes to the right and the bottom: 125 of 128 leave 1 pixel before and 2 behind (our choice). */
const middleOf = async (bytes: Buffer, wanted: { readonly width: number; readonly height: number }) => {
  const { autoOrient: own } = await sharp(bytes).metadata()
  if (own.width < wanted.width || own.height < wanted.height) {
    throw new DatasetError('bad-image', `${own.width} × ${own.height} is less than ${wanted.width} × ${wanted.height}`)
  }
  const left = Math.floor((own.width - wanted.width) / 2)
  const top = Math.floor((own.height - wanted.height) / 2)
  return { left, top, ...wanted }
}

/** Pictures one after another, pixel by pixel. */
const interleaved = (
  pictures: readonly { readonly channels: number; readonly pixels: Uint8Array }[],
  channels: number,
): Uint8Array => {
  const [first] = pictures
  const count = first!.pixels.length / first!.channels
  const all = new Uint8Array(count * channels)
  let before = 0
  for (const { channels: own, pixels } of pictures) {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < own; c++) all[i * channels + before + c] = pixels[i * own + c]!
    }
    before += own
  }
  return all
}
