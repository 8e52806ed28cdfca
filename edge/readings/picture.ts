/** Camera files to small upright pictures, by libvips off the main thread. */
import sharp from 'sharp'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { err, ok, type Result } from '#shared/std/result.ts'

export type PictureSize = { readonly width: number; readonly height: number; readonly channels: 1 | 3 }
export type Picture = Extract<ReadingContent, { kind: 'image' }>
export type PictureType = 'image/jpeg' | 'image/png'

/** Larger than any camera trap's picture (48 megapixels, interpolated); a small file may claim more. */
const MOST_PIXELS = 64_000_000
/** Pictures decoded at the same time; the others wait. Memory and cores belong to inference. */
const AT_ONCE = 2
const LIMIT_SECONDS = 30

const MAGIC: Readonly<Record<PictureType, readonly number[]>> = {
  'image/jpeg': [0xff, 0xd8, 0xff],
  'image/png': [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
}

// One libvips thread a picture, and no cache of files that come once.
sharp.concurrency(1)
sharp.cache(false)

/**
 * Decodes the whole file, turns it as its EXIF orientation says, and scales it to `size` in both directions
 * apart: a picture of another shape is squeezed, never cropped, because the animal may stand at the edge.
 * Grey files become RGB and the other way round as `size.channels` says; transparent parts become black.
 * Bits may change with libvips, whose version is pinned. The error says what is wrong with the file.
 */
export const decodePicture = (
  file: Uint8Array,
  type: PictureType,
  size: PictureSize,
): Promise<Result<Picture, string>> => {
  // Other formats that libvips knows (SVG, TIFF, …) stay out of reach.
  const isOfType = MAGIC[type].every((byte, i) => file[i] === byte)
  return isOfType ? inTurn(() => decode(file, size)) : Promise.resolve(err(`is no ${type} file`))
}

const decode = async (file: Uint8Array, { width, height, channels }: PictureSize): Promise<Result<Picture, string>> => {
  try {
    const { data, info } = await sharp(file, { failOn: 'error', limitInputPixels: MOST_PIXELS })
      .timeout({ seconds: LIMIT_SECONDS })
      .autoOrient()
      .flatten({ background: '#000' })
      .resize(width, height, { fit: 'fill' })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== channels) return err(`became ${info.channels} channels instead of ${channels}`)
    return ok({ kind: 'image', width, height, channels, pixels: new Uint8Array(data) })
  } catch (cause) {
    const [firstLine = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
    return err(firstLine)
  }
}

let running = 0
const waiting: (() => void)[] = []

const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else running++
  try {
    return await work()
  } finally {
    // The turn passes on directly, so nobody who comes meanwhile can push in.
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}
