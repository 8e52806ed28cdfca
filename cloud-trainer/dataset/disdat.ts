/**
 * Folders of the disdat benchmark (Elith et al. 2020): `sites.csv`, `labels.csv`, and a `modalities.json` that lists
 * each region's columns by modality. Translated into the description that our own folders have.
 */
import { basename } from 'node:path'
import { z } from 'zod'
import { DatasetError } from './dataset-error.ts'
import type { WrittenDescription } from './description.ts'

const regionsSchema = z.record(
  z.string(),
  z.object({
    /** "EPSG:4326 lon/lat" where x and y are degrees. */
    crs: z.string().optional(),
    modalities: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
  }),
)

export type ImageWindow = { readonly window: number; readonly patch: number }

/** Spatial blocks: 0–2 train, 3 validation, 4 test; higher ones are kept aside by whoever made the folder. */
const SPLIT = { column: 'fold', train: ['0', '1', '2'], validation: ['3'], test: ['4'] }

/** Points of the region, and places where somebody has seen one of the species; their labels are not looked at. */
const UNLABELLED = ['background.csv', 'presence_only.csv']

/** The region is named like the folder, or like what stands before its hyphen ("NSW" of "NSW-ba"). */
export const describeDisdat = (json: unknown, folder: string, { window, patch }: ImageWindow): WrittenDescription => {
  const refuse = (what: string): never => {
    throw new DatasetError('bad-description', what, { file: 'modalities.json' })
  }
  const parsed = regionsSchema.safeParse(json)
  if (!parsed.success) return refuse(z.prettifyError(parsed.error))
  const key = basename(folder)
  const region = parsed.data[key] ?? parsed.data[key.split('-')[0]!]
  if (region === undefined) return refuse(`no region for the folder "${key}"`)

  const place = region.modalities.location
  const modalities = Object.entries(region.modalities).map(
    ([name, described]): WrittenDescription['modalities'][number] => {
      if (typeof described !== 'string') return { kind: 'tabular', name, columns: columnsOf(described) }
      const raster = /^window of (\S+)\.u8/.exec(described)?.[1]
      if (raster === undefined) return refuse(`modality "${name}": "${described}" is not understood`)
      if (typeof place !== 'object' || !('lon' in place && 'lat' in place)) {
        return refuse(`modality "${name}": a window needs a location with lon and lat`)
      }
      return {
        kind: 'image',
        name,
        width: window,
        height: window,
        patch,
        source: { raster, longitude: 'lon', latitude: 'lat' },
      }
    },
  )
  // Tables without labels have x and y alone, also where the sites have both.
  const places: Readonly<Record<string, string>> = region.crs?.endsWith('lon/lat') ? { lon: 'x', lat: 'y' } : {}
  return {
    schema: 'dataset/1',
    table: 'sites.csv',
    id: 'siteid',
    split: SPLIT,
    labels: { file: 'labels.csv', columns: 'others' },
    unlabelled: UNLABELLED.map((table) => ({ table, columns: places, optional: true })),
    missing: [''],
    modalities,
  }
}

const columnsOf = (described: Readonly<Record<string, string>>) =>
  Object.entries(described).map(([column, text]) =>
    text.includes('(categorical)') ? { column, categories: 'from-train' as const } : { column },
  )
