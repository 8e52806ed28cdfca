/** What is known about each row: columns of 1 and 0, one class, or the list of labels that an id has. */
import type { LabelSpec } from '../model/training-set.ts'
import { DatasetError } from './dataset-error.ts'
import type { Description } from './description.ts'
import type { DatasetWarning } from './raw-set.ts'
import type { Tables } from './read-tables.ts'
import type { Table } from './table.ts'

export type RowLabels = {
  readonly labels: readonly LabelSpec[]
  /** [labels] of a row. */
  readonly of: (row: number) => Float32Array
  /** Rows of the main table that are used. */
  readonly rows: readonly number[]
  /** The class of each row of the main table ('' for unknown), in the single-label task. */
  readonly classes: readonly string[] | null
}

type Labels = NonNullable<Description['labels']>

export const labelsOf = (
  { labels, table }: Pick<Description, 'labels' | 'table'>,
  tables: Tables,
  onWarning: (warning: DatasetWarning) => void,
): RowLabels => {
  if (labels === undefined) {
    return { labels: [], of: () => new Float32Array(0), rows: everyRow(tables.main), classes: null }
  }
  if ('columns' in labels) return ofColumns(labels, tables)
  if ('class' in labels) return ofClasses(labels, tables.of(labels.file ?? table), onWarning)
  return ofLongTable(labels, tables, onWarning)
}

const everyRow = (table: Table): readonly number[] => table.ids.map((_, row) => row)

const ofColumns = ({ file, columns }: Extract<Labels, { columns: unknown }>, tables: Tables): RowLabels => {
  const table = tables.of(file)
  const { labelColumns, labelsOf: rowLabels } = table
  const taxonOf = (name: string) =>
    columns === 'others' ? null : (columns.find((it) => it.column === name)?.taxonId ?? null)
  return {
    labels: labelColumns.map((name) => ({ name, taxonId: taxonOf(name) })),
    of: rowLabels,
    rows: everyRow(table),
    classes: null,
  }
}

const ofClasses = (
  { class: column, atLeast }: Extract<Labels, { class: string }>,
  table: Table,
  onWarning: (warning: DatasetWarning) => void,
): RowLabels => {
  const classes = table.texts.get(column)!
  const counts = countsOf(classes.filter((it) => it !== ''))
  const kept = frequent(counts, { atLeast, file: table.file, column })
  const rows = everyRow(table).filter((row) => classes[row] === '' || kept.has(classes[row]!))
  const left = classes.length - rows.length
  if (left > 0) {
    const detail = `rows of ${counts.size - kept.size} classes with fewer than ${atLeast} rows are left out`
    onWarning({ code: 'unused-rows', subject: column, count: left, detail })
  }
  const rowOf = (row: number): Float32Array => {
    const own = kept.get(classes[row]!)
    const labels = new Float32Array(kept.size).fill(own === undefined ? Number.NaN : 0)
    if (own !== undefined) labels[own] = 1
    return labels
  }
  return { labels: specsOf(kept), of: rowOf, rows, classes }
}

const ofLongTable = (
  { file, long: column, atLeast }: Extract<Labels, { long: string }>,
  tables: Tables,
  onWarning: (warning: DatasetWarning) => void,
): RowLabels => {
  const { main } = tables
  const table = tables.long(file)
  const rowOf = new Map(main.ids.map((id, row) => [id, row]))
  const names = table.texts.get(column)!
  const said = new Map<string, Set<number>>()
  let others = 0
  for (const [i, id] of table.ids.entries()) {
    const name = names[i]!
    if (name === '') throw new DatasetError('missing-value', 'no label', { file, row: table.lines[i]!, column })
    const row = rowOf.get(id)
    if (row === undefined) {
      others++
      continue
    }
    const rows = said.get(name)
    if (rows) rows.add(row)
    else said.set(name, new Set([row]))
  }
  if (others > 0) {
    onWarning({ code: 'unused-rows', subject: file, count: others, detail: 'labels of ids that the main table lacks' })
  }
  const counts = new Map([...said].map(([name, rows]) => [name, rows.size]))
  const kept = frequent(counts, { atLeast, file, column })
  if (kept.size < counts.size) {
    const detail = `labels of fewer than ${atLeast} rows are left out`
    onWarning({ code: 'rare-label', subject: column, count: counts.size - kept.size, detail })
  }
  const present = main.ids.map(() => [] as number[])
  for (const [name, own] of kept) for (const row of said.get(name)!) present[row]!.push(own)
  return {
    labels: specsOf(kept),
    of: (row) => {
      const labels = new Float32Array(kept.size)
      for (const own of present[row]!) labels[own] = 1
      return labels
    },
    rows: everyRow(main),
    classes: null,
  }
}

const countsOf = (names: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Name to index, in the order of numbers where all names are some, else of characters. */
const frequent = (
  counts: ReadonlyMap<string, number>,
  { atLeast, file, column }: { readonly atLeast: number; readonly file: string; readonly column: string },
): ReadonlyMap<string, number> => {
  const names = [...counts].filter(([, count]) => count >= atLeast).map(([name]) => name)
  if (names.length === 0) throw new DatasetError('too-few', `no label with ${atLeast} rows`, { file, column })
  const areNumbers = names.every((name) => Number.isFinite(Number(name)))
  names.sort((a, b) => (areNumbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : 1))
  return new Map(names.map((name, i) => [name, i]))
}

const specsOf = (names: ReadonlyMap<string, number>): readonly LabelSpec[] =>
  [...names.keys()].map((name) => ({ name, taxonId: null }))
