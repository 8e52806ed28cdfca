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
  z.object({ modalities: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])) }),
)

export type ImageWindow = { readonly window: number; readonly patch: number }

/** Spatial blocks: 0–2 train, 3 validation, 4 test; higher ones are kept aside by whoever made the folder. */
const SPLIT = { column: 'fold', train: ['0', '1', '2'], validation: ['3'], test: ['4'] }

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
  return {
    schema: 'dataset/1',
    table: 'sites.csv',
    id: 'siteid',
    split: SPLIT,
    labels: { file: 'labels.csv', columns: 'others' },
    missing: [''],
    modalities,
  }
}

const columnsOf = (described: Readonly<Record<string, string>>) =>
  Object.entries(described).map(([column, text]) =>
    text.includes('(categorical)') ? { column, categories: 'from-train' as const } : { column },
  )
