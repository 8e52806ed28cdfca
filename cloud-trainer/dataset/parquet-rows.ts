/** Rows of a Parquet file as the cells that a CSV file of the same table would have. */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import type { RowTaker } from './csv-rows.ts'
import { DatasetError } from './dataset-error.ts'

/**
 * The names of the columns are row 0, rows count from 1. Only columns that are looked at are decoded, whatever else the
 * file has (shapes, lists); of these one row group is in memory at a time. Null and NaN are missing; truth is 1 or 0; a moment is its ISO 8601 text, in UTC. Throws DatasetError for
 * a file that is no Parquet, for a column of lists or structures, and for one that is shorter than the table.
 */
export const readParquetRows = async (path: string, file: string, take: RowTaker): Promise<void> => {
  const buffer = await asyncBufferFromFile(path)
  const bad = (cause: unknown): never => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DatasetError('bad-table', `this is no Parquet file that can be read: ${why}`, { file }, { cause })
  }
  const metadata = await parquetMetadataAsync(buffer).catch(bad)
  const fields = parquetSchema(metadata).children
  const names = fields.map(({ element }) => element.name)
  const places = new Set(take.header(names, 0))
  const columns = fields.map(({ element, children }, place) => {
    const { name: column, repetition_type: repetition, converted_type: type, scale = 0 } = element
    if (!places.has(place)) return null
    if (children.length === 0 && repetition !== 'REPEATED')
      return { column, decimals: type === 'DECIMAL' ? scale : null }
    throw new DatasetError('bad-table', 'lists and structures are no values of a table', { file, column })
  })
  const wanted = names.filter((_, place) => places.has(place))
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    const rows = await parquetReadObjects({
      ...{ file: buffer, metadata, compressors, columns: wanted, rowStart, rowEnd },
    }).catch(bad)
    for (const [i, row] of rows.entries()) {
      const number = rowStart + i + 1
      const cells = columns.map((it) => {
        if (it === null) return null
        const { column, decimals } = it
        return cellOf(decimals === null ? row[column] : decimal(row[column], decimals), { file, row: number, column })
      })
      take.row(cells, number)
    }
    rowStart = rowEnd
  }
}

/** The reader multiplies by powers of ten, which leaves 0.57 as 0.5700000000000001. */
const decimal = (value: unknown, decimals: number): unknown =>
  typeof value === 'number' ? Number(value.toFixed(decimals)) : value

const cellOf = (
  value: unknown,
  place: { readonly file: string; readonly row: number; readonly column: string },
): string | null => {
  // A null that is written is null; what the reader did not find in a column is undefined.
  if (value === undefined) throw new DatasetError('bad-table', 'the column ends before this row', place)
  if (value === null || Number.isNaN(value)) return null
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  throw new DatasetError('bad-table', 'this is neither number, text, truth nor time', place)
}
