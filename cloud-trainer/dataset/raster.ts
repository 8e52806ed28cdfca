/** Rasters on a longitude and latitude grid: `<name>.u8`, raw bytes, described by `<name>.json`. */
import { z } from 'zod'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { DatasetError } from './dataset-error.ts'
import { parseJson, readBytes } from './folder-files.ts'

/** Bytes are row-major, the top row being the northernmost, channels interleaved. */
const rasterSchema = z.object({
  width: z.int().positive(),
  height: z.int().positive(),
  channels: z.int().positive().max(16),
  /** Outer edges of the top left pixel. */
  west: z.number(),
  north: z.number(),
  degreesPerPixel: z.number().positive(),
})

export type Raster = z.infer<typeof rasterSchema> & { readonly pixels: Uint8Array }

export const readRaster = async (folder: string, name: string): Promise<Raster> => {
  const described = `${name}.json`
  const parsed = rasterSchema.safeParse(parseJson(await readBytes(folder, described), described))
  if (!parsed.success) {
    throw new DatasetError('bad-description', z.prettifyError(parsed.error), { file: described })
  }
  const { width, height, channels } = parsed.data
  const pixels = await readBytes(folder, `${name}.u8`)
  if (pixels.length !== width * height * channels) {
    const what = `${pixels.length} bytes, but ${described} says ${width} × ${height} × ${channels}`
    throw new DatasetError('wrong-size', what, { file: `${name}.u8` })
  }
  return { ...parsed.data, pixels }
}

/** Column and row of the pixel that holds a place; may lie outside. */
export const pixelOf = (
  { west, north, degreesPerPixel }: Pick<Raster, 'west' | 'north' | 'degreesPerPixel'>,
  longitude: number,
  latitude: number,
): readonly [column: number, row: number] => [
  Math.floor((longitude - west) / degreesPerPixel),
  Math.floor((north - latitude) / degreesPerPixel),
]

/**
 * width × height pixels with the place's pixel at (⌊width / 2⌋, ⌊height / 2⌋): even windows reach one pixel farther to
 * the north west. Null when a part lies outside the raster.
 */
export const windowAround = (
  raster: Raster,
  place: { readonly longitude: number; readonly latitude: number },
  { width, height }: { readonly width: number; readonly height: number },
): Extract<ReadingContent, { kind: 'image' }> | null => {
  const [column, row] = pixelOf(raster, place.longitude, place.latitude)
  const left = column - Math.floor(width / 2)
  const top = row - Math.floor(height / 2)
  if (!(left >= 0 && top >= 0 && left + width <= raster.width && top + height <= raster.height)) return null
  const { channels } = raster
  const pixels = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * raster.width + left) * channels
    pixels.set(raster.pixels.subarray(from, from + width * channels), y * width * channels)
  }
  return { kind: 'image', width, height, channels, pixels }
}
