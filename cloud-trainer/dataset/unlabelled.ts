/** Rows without labels, from the tables that a description names beside its main one. They are for pre-training. */
import { resolve } from 'node:path'
import { DatasetError } from './dataset-error.ts'
import type { Description } from './description.ts'
import { readIfThere } from './folder-files.ts'
import { needsOf, openSource } from './modality-source.ts'
import type { RawExample } from './raw-set.ts'
import { describeFolder, type ReadFolderOptions, readingsOf, timeReader, windowOf } from './read-folder.ts'
import type { ModalitySource } from './sources/source.ts'
import { readTable, type Table } from './table.ts'

type Unlabelled = Description['unlabelled'][number]

/**
 * As examples of the training part, without a label (`withUnlabelled` gives them unknown ones). Modalities that come from other tables than the main one
 * are missing in them. Throws DatasetError.
 */
export const readUnlabelledRows = async (
  folder: string,
  options: ReadFolderOptions = {},
): Promise<readonly RawExample[]> => {
  const description = await describeFolder(folder, options)
  const root = resolve(folder, description.folder ?? '.')
  const examples: RawExample[] = []
  for (const entry of description.unlabelled) {
    if (entry.optional && (await readIfThere(root, entry.table)) === null) continue
    examples.push(...(await rowsOf(root, description, entry)))
  }
  return examples
}

const rowsOf = async (root: string, description: Description, entry: Unlabelled): Promise<readonly RawExample[]> => {
  const { time, modalities } = description
  const own = modalities.filter((it) =>
    needsOf(it).every(({ file = description.table, isLong = false }) => file === description.table && !isLong),
  )
  const table = await readPartial(root, description, entry, own)
  const elsewhere = (file: string): never => {
    throw new DatasetError('bad-description', 'rows without labels have one table', { file })
  }
  const sources = await Promise.all(
    own.map((modality) =>
      openSource(modality, {
        folder: root,
        table,
        tables: { of: (file) => (file === description.table ? table : elsewhere(file)), long: elsewhere },
        hasTime: time !== undefined,
      }),
    ),
  )
  const inside = sources.map(withinRaster)
  const timeOf = time === undefined ? () => null : timeReader(table, time)
  return Promise.all(
    table.ids.map(async (id, row) => ({
      id: `${table.file}:${id}`,
      readings: await readingsOf(`${table.file}:${id}`, row, timeOf(row), inside),
      window: windowOf(timeOf(row)),
      part: 'train' as const,
      labels: new Float32Array(0),
    })),
  )
}

/** Nobody chose these places for a raster: those beyond its edge have no window. */
const withinRaster = (source: ModalitySource): ModalitySource => ({
  ...source,
  contentOf: (row) => {
    try {
      return source.contentOf(row)
    } catch (error) {
      if (error instanceof DatasetError && error.code === 'outside-raster') return null
      throw error
    }
  },
})

/** The columns of the main table that the modalities need, by their names there; missing where there is no such column. */
const readPartial = async (
  root: string,
  { id: mainId, time, missing }: Description,
  { table: file, id = mainId, columns }: Unlabelled,
  modalities: Description['modalities'],
): Promise<Table> => {
  const needs = modalities.flatMap(needsOf)
  const texts = new Set([...needs.flatMap((need) => need.texts), ...(time === undefined ? [] : [time])])
  const numbers = new Set(needs.flatMap((need) => need.numbers))
  const here = (names: ReadonlySet<string>): readonly string[] => [
    ...new Set([...names].map((it) => columns[it] ?? it)),
  ]
  const wanted = { id, ids: 'agreeing', texts: here(texts), numbers: here(numbers), isPartial: true } as const
  const table = await readTable({ folder: root, file, missing, scratch: null }, wanted)
  return {
    ...table,
    texts: new Map([...texts].map((name) => [name, table.texts.get(columns[name] ?? name)!])),
    numbers: new Map([...numbers].map((name) => [name, table.numbers.get(columns[name] ?? name)!])),
  }
}
