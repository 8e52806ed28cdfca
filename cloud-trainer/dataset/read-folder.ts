/** Reads a folder of data that `dataset.json` (or the disdat benchmark's `modalities.json`) describes. */
import { basename, dirname, resolve } from 'node:path'
import type { TimeWindow } from '#shared/domain/time.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { DatasetError } from './dataset-error.ts'
import { type Description, parseDescription } from './description.ts'
import { describeDisdat, type ImageWindow } from './disdat.ts'
import { parseJson, readIfThere } from './folder-files.ts'
import { columnsOf, type ModalitySource, openSource } from './modality-source.ts'
import type { DatasetWarning, Part, RawExample, RawSet } from './raw-set.ts'
import { readTable, type Table } from './table.ts'

export type ReadFolderOptions = Partial<ImageWindow> & {
  /** Only these, in the description's order. */
  readonly modalities?: readonly string[]
  readonly onWarning?: (warning: DatasetWarning) => void
}

const HOUR_MS = 3_600_000
/** Files decoded at once. */
const PICTURES_AT_ONCE = 16

/** Throws DatasetError, which names file, row and column. */
export const readFolder = async (folder: string, options: ReadFolderOptions = {}): Promise<RawSet> => {
  const root = resolve(folder)
  const description = select(await findDescription(root, options), options.modalities)
  const { main, labelled, tables } = await readTables(root, description)
  const hasTime = description.time !== undefined
  const sources = await Promise.all(
    description.modalities.map((modality) =>
      openSource(modality, { folder: root, table: tables.get(modality.file ?? description.table)!, hasTime }),
    ),
  )
  const partOf = partFinder(description)
  const timeOf = description.time === undefined ? () => null : timeReader(main, description.time)

  const rows = main.ids.map((_, row) => row).filter((row) => partOf(main, row) !== null)
  const examples: RawExample[] = []
  for (let first = 0; first < rows.length; first += PICTURES_AT_ONCE) {
    const some = rows.slice(first, first + PICTURES_AT_ONCE).map(async (row) => ({
      id: main.ids[row]!,
      readings: await readingsOf(main.ids[row]!, row, timeOf(row), sources),
      window: windowOf(timeOf(row)),
      part: partOf(main, row)!,
      labels: labelled.labels.subarray(row * labelled.labelColumns.length, (row + 1) * labelled.labelColumns.length),
    }))
    examples.push(...(await Promise.all(some)))
  }
  requireParts(examples, description)
  warnOfUnused(main.ids.length - rows.length, description, options.onWarning)
  return {
    templates: sources.map((source) => source.template),
    labels: labelled.labelColumns.map((column) => ({ name: column, taxonId: taxonOf(description, column) })),
    examples,
  }
}

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
  const known = description.modalities.map((modality) => modality.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined || names.length === 0) {
    throw new DatasetError('bad-description', `no modality "${unknown ?? ''}"; there are ${known.join(', ')}`)
  }
  return { ...description, modalities: description.modalities.filter((modality) => names.includes(modality.name)) }
}

type Tables = { readonly main: Table; readonly labelled: Table; readonly tables: ReadonlyMap<string, Table> }

/** Each file is read once, for whatever its columns are used. */
const readTables = async (folder: string, description: Description): Promise<Tables> => {
  const { table, id, split, time, labels, missing } = description
  const wanted = new Map<string, { texts: Set<string>; numbers: Set<string> }>()
  const want = (file: string) => {
    const known = wanted.get(file) ?? { texts: new Set(), numbers: new Set() }
    wanted.set(file, known)
    return known
  }
  want(table).texts.add(split.column)
  if (time !== undefined) want(table).texts.add(time)
  want(labels.file)
  for (const modality of description.modalities) {
    const columns = columnsOf(modality)
    const { texts, numbers } = want(modality.file ?? table)
    for (const column of columns.texts) texts.add(column)
    for (const column of columns.numbers) numbers.add(column)
  }
  const labelColumns = labels.columns === 'others' ? labels.columns : labels.columns.map((it) => it.column)
  const tables = new Map<string, Table>()
  for (const [file, { texts, numbers }] of wanted) {
    const columns = { id, texts: [...texts], numbers: [...numbers] }
    const read = await readTable(
      { folder, file, missing },
      file === labels.file ? { ...columns, labels: labelColumns } : columns,
    )
    tables.set(file, read)
    requireSameRows(tables.get(table)!, read, id)
  }
  return { main: tables.get(table)!, labelled: tables.get(labels.file)!, tables }
}

const requireSameRows = (main: Table, other: Table, column: string): void => {
  const { file, ids, lines } = other
  for (let row = 0; row < Math.min(ids.length, main.ids.length); row++) {
    if (ids[row] === main.ids[row]) continue
    const what = `"${ids[row]}" where row ${main.lines[row]} of ${main.file} has "${main.ids[row]}"`
    throw new DatasetError('row-order', what, { file, row: lines[row]!, column })
  }
  if (ids.length !== main.ids.length) {
    throw new DatasetError('row-count', `${ids.length} rows, but ${main.ids.length} in ${main.file}`, { file })
  }
}

const partFinder = ({ split }: Description) => {
  const parts = new Map<string, Part>()
  for (const part of ['train', 'validation', 'test'] as const) {
    for (const value of split[part]) parts.set(value, part)
  }
  return (main: Table, row: number): Part | null => {
    const value = main.texts.get(split.column)![row]!
    if (value !== '') return parts.get(value) ?? null
    const place = { file: main.file, row: main.lines[row]!, column: split.column }
    throw new DatasetError('missing-value', 'a row without a part', place)
  }
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/

const timeReader = (main: Table, column: string): ((row: number) => number | null) => {
  const texts = main.texts.get(column)!
  return (row) => {
    const text = texts[row]!
    if (text === '') return null
    const atMs = ISO_TIME.test(text) ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(atMs)) return atMs
    const place = { file: main.file, row: main.lines[row]!, column }
    throw new DatasetError('bad-time', `"${text}" is no ISO 8601 time with offset`, place)
  }
}

/** The hour that holds the time; without a time, the first one of 1970, which says nothing. */
const windowOf = (atMs: number | null): TimeWindow => {
  const startMs = Math.floor((atMs ?? 0) / HOUR_MS) * HOUR_MS
  return { startMs, endMs: startMs + HOUR_MS }
}

const readingsOf = async (
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

const requireParts = (examples: readonly RawExample[], { table, split }: Description): void => {
  for (const part of ['train', 'validation'] as const) {
    if (examples.some((example) => example.part === part)) continue
    const what = `no row of the ${part} part (${split[part].join(', ')})`
    throw new DatasetError('too-few', what, { file: table, column: split.column })
  }
}

const warnOfUnused = (count: number, { split }: Description, onWarning: ReadFolderOptions['onWarning']): void => {
  if (count === 0) return
  onWarning?.({ code: 'unused-rows', subject: split.column, count, detail: 'rows of no part are left out' })
}

const taxonOf = ({ labels }: Description, column: string): string | null =>
  labels.columns === 'others' ? null : (labels.columns.find((it) => it.column === column)?.taxonId ?? null)
