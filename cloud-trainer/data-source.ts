/** Where a command's data come from: a folder that is described, or a store that stations have filled. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { UsageError, wholeNumber } from './command-line.ts'
import { DatasetError } from './dataset/dataset-error.ts'
import { fromLabelled } from './dataset/from-store.ts'
import type { DatasetWarning, RawExample, RawSet } from './dataset/raw-set.ts'
import { readFolder } from './dataset/read-folder.ts'
import { readUnlabelledRows } from './dataset/unlabelled.ts'
import { readStore } from './store/store.ts'

export const SOURCE_OPTIONS = {
  data: z.string().min(1).optional(),
  store: z.string().min(1).optional(),
  modalities: z.string().min(1).optional(),
  window: wholeNumber({ least: 1, most: 1024 }).optional(),
  patch: wholeNumber({ least: 1, most: 1024 }).optional(),
  'minimum-positives': wholeNumber({ least: 1 }).default(5),
} as const

export const SOURCE_HELP = `
  --data FOLDER        with dataset.json, or modalities.json there or one level up
  --store FILE         or the database of a cloud service: its labelled observations
  --modalities A,B     of the folder's, only these
  --window N           of a disdat folder: side of its image windows
  --patch N            and of their patches
  --minimum-positives N  of a store: taxa present in fewer observations are left out (default 5)`

export const sourceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('folder'),
    folder: z.string(),
    modalities: z.array(z.string()).exactOptional(),
    window: z.int().exactOptional(),
    patch: z.int().exactOptional(),
  }),
  z.object({ kind: z.literal('store'), file: z.string(), minimumPositives: z.int() }),
])

export type Source = z.infer<typeof sourceSchema>

type SourceValues = z.output<z.ZodObject<typeof SOURCE_OPTIONS>>

/** Throws a UsageError unless exactly one source is named. */
export const sourceOf = (values: SourceValues): Source => {
  const { data, store, modalities, window, patch } = values
  if ((data === undefined) === (store === undefined)) throw new UsageError('one of --data and --store is needed')
  if (store !== undefined) {
    return { kind: 'store', file: resolve(store), minimumPositives: values['minimum-positives'] }
  }
  return {
    kind: 'folder',
    folder: resolve(data!),
    ...(modalities === undefined ? {} : { modalities: modalities.split(',').map((name) => name.trim()) }),
    ...(window === undefined ? {} : { window }),
    ...(patch === undefined ? {} : { patch }),
  }
}

/** Throws a DatasetError that names what is wrong. */
export const readSource = async (source: Source, onWarning: (warning: DatasetWarning) => void): Promise<RawSet> => {
  if (source.kind === 'folder') {
    const { kind: _, folder, ...options } = source
    return readFolder(folder, { ...options, onWarning })
  }
  if (!existsSync(source.file)) {
    throw new DatasetError('missing-file', 'there is no such file', { file: source.file })
  }
  return fromLabelled(readStore(source.file), { minimumPositives: source.minimumPositives, onWarning })
}

/** Rows beside the labelled ones; of a store none are taken. Throws a DatasetError. */
export const readUnlabelled = async (source: Source): Promise<readonly RawExample[]> => {
  if (source.kind === 'store') return []
  const { kind: _, folder, ...options } = source
  return readUnlabelledRows(folder, options)
}
