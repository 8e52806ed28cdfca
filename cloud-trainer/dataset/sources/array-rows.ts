/** Rows that lie in array files: one file for all of them, or a file for each. */
import { type LoadedArray, parseArrayFile } from '../arrays/array-file.ts'
import { type ArrayStack, openStack } from '../arrays/array-stack.ts'
import type { NumericValues } from '../arrays/elements.ts'
import { DatasetError } from '../dataset-error.ts'
import { readIfThere } from '../folder-files.ts'
import type { ArrayPlace } from '../modality-description.ts'
import type { Table } from '../table.ts'
import { columnsIn, rowPath } from './row-path.ts'

/** The numbers of a row, in the order of the file; null when the row has none. */
export type ArrayRows = (row: number) => NumericValues | null | Promise<NumericValues | null>

export const textsOfArray = (place: ArrayPlace): readonly string[] => ('path' in place ? columnsIn(place.path) : [])

type Options = { readonly folder: string; readonly table: Table; readonly shape: readonly number[] }

/** `shape`: that of one row. Throws DatasetError, also when a row is read. */
export const openArrayRows = async (place: ArrayPlace, options: Options): Promise<ArrayRows> =>
  'path' in place ? rowFiles(place, options) : stackedRows(place, options)

const stackedRows = async (
  { file, array, ids }: Extract<ArrayPlace, { file: string }>,
  { folder, table, shape }: Options,
): Promise<ArrayRows> => {
  const stack = await openStack(folder, file, array)
  const count = stack.shape[0] ?? 0
  const place = { file, column: array }
  numbersOf({ shape: stack.shape, values: stack.rows(0, 0) }, [count, ...shape], place)
  const rowOf =
    ids === undefined
      ? inOrder(count, table, file)
      : byId(await openStack(folder, file, ids), ids, { count, file, table })
  return (row) => {
    const own = rowOf(row)
    return own === null ? null : numbersOf({ shape: [1, ...shape], values: stack.rows(own, 1) }, [1, ...shape], place)
  }
}

const inOrder = (count: number, table: Table, file: string): ((row: number) => number) => {
  if (count === table.ids.length) return (row) => row
  throw new DatasetError('row-count', `${count} rows, but ${table.ids.length} in ${table.file}`, { file })
}

const byId = (
  { shape, rows }: ArrayStack,
  ids: string,
  { count, file, table }: { readonly count: number; readonly file: string; readonly table: Table },
): ((row: number) => number | null) => {
  if (shape.length !== 1 || shape[0] !== count) {
    const what = `ids of shape [${shape.join(', ')}] for ${count} rows`
    throw new DatasetError('row-count', what, { file, column: ids })
  }
  const values = rows(0, count)
  const rowOf = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const id = String(values[i])
    if (rowOf.has(id)) throw new DatasetError('duplicate-id', `"${id}" stands twice`, { file, column: ids })
    rowOf.set(id, i)
  }
  if (!table.ids.some((id) => rowOf.has(id))) {
    throw new DatasetError('row-count', `none of its ids is in ${table.file}`, { file, column: ids })
  }
  return (row) => rowOf.get(table.ids[row]!) ?? null
}

const rowFiles =
  ({ path, array, absent }: Extract<ArrayPlace, { path: string }>, { folder, table, shape }: Options): ArrayRows =>
  async (row) => {
    const file = rowPath(path, table, row)
    if (file === null) return null
    const bytes = await readIfThere(folder, file)
    if (bytes !== null) return numbersOf(parseArrayFile(bytes, file).read(array), shape, { file, column: array })
    if (absent === 'missing') return null
    const what = `of row ${table.lines[row]} of ${table.file}: there is no such file`
    throw new DatasetError('missing-file', what, { file })
  }

const numbersOf = (
  { shape, values }: LoadedArray,
  wanted: readonly number[],
  { file, column }: { readonly file: string; readonly column: string },
): NumericValues => {
  const place = column === '' ? { file } : { file, column }
  if (shape.length !== wanted.length || shape.some((size, axis) => size !== wanted[axis])) {
    const what = `an array of [${shape.join(', ')}], but [${wanted.join(', ')}] is described`
    throw new DatasetError('wrong-size', what, place)
  }
  if (isNumbers(values)) return values
  throw new DatasetError('not-a-number', 'texts where numbers are described', place)
}

const isNumbers = (values: LoadedArray['values']): values is NumericValues => ArrayBuffer.isView(values)
