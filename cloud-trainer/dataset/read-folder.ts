/** Reads a folder of data that `dataset.json` (or the disdat benchmark's `modalities.json`) describes. */
import { basename, dirname, resolve } from 'node:path'
import type { TimeWindow } from '#shared/domain/time.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { DatasetError } from './dataset-error.ts'
import { type Description, parseDescription } from './description.ts'
import { describeDisdat, type ImageWindow } from './disdat.ts'
import { type ExampleSource, readAll } from './example-source.ts'
import { parseJson, readIfThere } from './folder-files.ts'
import { labelsOf } from './labels.ts'
import { openSource } from './modality-source.ts'
import type { DatasetWarning, Part, RawSet } from './raw-set.ts'
import { readTables } from './read-tables.ts'
import type { ModalitySource } from './sources/source.ts'
import { partsOf, splitName } from './split.ts'
import type { Table } from './table.ts'

export type ReadFolderOptions = Partial<ImageWindow> & {
  /** Only these, by their own name or their group's, in the description's order. */
  readonly modalities?: readonly string[]
  /** Folder for columns that are too large for memory; in memory when absent. */
  readonly scratch?: string
  readonly onWarning?: (warning: DatasetWarning) => void
}

const HOUR_MS = 3_600_000

/** All of it, in memory. Throws DatasetError, which names file, row and column. */
export const readFolder = async (folder: string, options: ReadFolderOptions = {}): Promise<RawSet> =>
  readAll(await openFolder(folder, options))

/** Reads the tables; readings and what lies in files of its own is read with the examples. Throws DatasetError. */
export const openFolder = async (folder: string, options: ReadFolderOptions = {}): Promise<ExampleSource> => {
  const { onWarning = () => undefined } = options
  const description = await describeFolder(folder, options)
  const root = resolve(folder, description.folder ?? '.')
  const tables = await readTables(root, description, options.scratch ?? null)
  const { main } = tables
  const hasTime = description.time !== undefined
  const sources = await Promise.all(
    description.modalities.map((modality) => {
      const table = 'file' in modality && modality.file !== undefined ? tables.of(modality.file) : main
      return openSource(modality, { folder: root, table, tables, hasTime })
    }),
  )
  const known = labelsOf(description, tables, onWarning)
  const parts = partsOf(description.split, main, known)
  const timeOf = description.time === undefined ? () => null : timeReader(main, description.time)

  const rows = known.rows.filter((row) => parts[row] !== null)
  const source: ExampleSource = {
    ...(known.classes === null ? {} : { task: 'single-label' }),
    templates: sources.map(({ template }) => template),
    labels: known.labels,
    ids: rows.map((row) => main.ids[row]!),
    parts: rows.map((row) => parts[row]!),
    read: async (example) => {
      const row = rows[example]!
      return {
        id: main.ids[row]!,
        readings: await readingsOf(main.ids[row]!, row, timeOf(row), sources),
        window: windowOf(timeOf(row)),
        part: parts[row]!,
        labels: known.of(row),
      }
    },
  }
  requireParts(source.parts, description)
  warnOfUnused(known.rows.length - rows.length, description, onWarning)
  return source
}

/** Of the folder, without the modalities that nobody asked for. Throws DatasetError. */
export const describeFolder = async (folder: string, options: ReadFolderOptions): Promise<Description> =>
  select(await findDescription(resolve(folder), options), options.modalities)

const findDescription = async (folder: string, options: ReadFolderOptions): Promise<Description> => {
  const own = await readIfThere(folder, 'dataset.json')
  if (own !== null) return parseDescription(parseJson(own, 'dataset.json'), 'dataset.json')
  const disdat =
    (await readIfThere(folder, 'modalities.json')) ?? (await readIfThere(dirname(folder), 'modalities.json'))
  if (disdat === null) {
    throw new DatasetError('missing-file', 'neither dataset.json nor modalities.json is there', { file: folder })
  }
  const { window = 8, patch = 4 } = options
  const described = describeDisdat(parseJson(disdat, 'modalities.json'), basename(folder), { window, patch })
  return parseDescription(described, 'modalities.json')
}

const select = (description: Description, names: readonly string[] | undefined): Description => {
  if (names === undefined) return description
  const known = description.modalities.flatMap(({ name, group }) => (group === undefined ? [name] : [group, name]))
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined || names.length === 0) {
    throw new DatasetError(
      'bad-description',
      `no modality "${unknown ?? ''}"; there are ${[...new Set(known)].join(', ')}`,
    )
  }
  const isWanted = ({ name, group = name }: Description['modalities'][number]) =>
    names.includes(name) || names.includes(group)
  return { ...description, modalities: description.modalities.filter(isWanted) }
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/

/** Date.parse takes the 30th of February for the 1st of March. */
const isDay = (text: string): boolean => {
  const atMs = Date.parse(text)
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text)
}

export const timeReader = (main: Table, column: string): ((row: number) => number | null) => {
  const texts = main.texts.get(column)!
  return (row) => {
    const text = texts[row]!
    if (text === '') return null
    const atMs = ISO_TIME.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(atMs)) return atMs
    const place = { file: main.file, row: main.lines[row]!, column }
    throw new DatasetError('bad-time', `"${text}" is no ISO 8601 time with offset`, place)
  }
}

/** The hour that holds the time; without a time, the first one of 1970, which says nothing. */
export const windowOf = (atMs: number | null): TimeWindow => {
  const startMs = Math.floor((atMs ?? 0) / HOUR_MS) * HOUR_MS
  return { startMs, endMs: startMs + HOUR_MS }
}

export const readingsOf = async (
  id: string,
  row: number,
  observedAtMs: number | null,
  sources: readonly ModalitySource[],
): Promise<readonly TokenReading[]> => {
  const readings: TokenReading[] = []
  for (const { template, contentOf } of sources) {
    const made = contentOf(row)
    const content = made instanceof Promise ? await made : made
    if (content === null) continue
    readings.push({
      id: `${id}:${template.name}` as TokenReading['id'],
      modality: template.name,
      content,
      observedAtMs,
    })
  }
  return readings
}

const requireParts = (parts: readonly Part[], { table, split }: Description): void => {
  for (const part of ['train', 'validation'] as const) {
    if (parts.includes(part)) continue
    const values = 'column' in split ? ` (${split[part].join(', ')})` : ''
    throw new DatasetError('too-few', `no row of the ${part} part${values}`, { file: table, column: splitName(split) })
  }
}

const warnOfUnused = (count: number, { split }: Description, onWarning: (warning: DatasetWarning) => void): void => {
  if (count === 0) return
  onWarning({ code: 'unused-rows', subject: splitName(split), count, detail: 'rows of no part are left out' })
}
