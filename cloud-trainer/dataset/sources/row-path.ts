/** Names of files that are made of a row's cells: "patches/{id[-2:]}/{id[-4:-2]}/{id}.jpeg". */
import { DatasetError } from '../dataset-error.ts'
import { isInside } from '../modality-description.ts'
import type { Table } from '../table.ts'

const PLACE = /\{([^{}[\]]+)(?:\[(-?\d+)?:(-?\d+)?\])?\}/g

/** Columns that a path is made of. */
export const columnsIn = (path: string): readonly string[] => [
  ...new Set([...path.matchAll(PLACE)].map(([, column]) => column!)),
]

/** Null when a cell is missing. Cuts are Python's: a start or an end below 0 counts from the end of the text. */
export const rowPath = (path: string, table: Table, row: number): string | null => {
  const cellOf = (column: string) => table.texts.get(column)![row]!
  if (columnsIn(path).some((column) => cellOf(column) === '')) return null
  const filled = path.replace(PLACE, (_, column: string, from?: string, to?: string) => {
    const text = cellOf(column)
    return text.slice(from === undefined ? 0 : Number(from), to === undefined ? text.length : Number(to))
  })
  if (isInside(filled)) return filled
  const place = { file: table.file, row: table.lines[row]! }
  throw new DatasetError('missing-file', `"${filled}" is not in the folder`, place)
}
