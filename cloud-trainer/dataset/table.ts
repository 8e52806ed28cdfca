/** Columns of a table in a CSV or Parquet file, read as a stream; only the columns asked for are kept. */
import { join } from 'node:path'
import { type Cells, readCsvRows } from './csv-rows.ts'
import { DatasetError } from './dataset-error.ts'
import { isNoSuchFile } from './folder-files.ts'
import { readParquetRows } from './parquet-rows.ts'

/**
 * What a second row of an id is: an error, a row of its own, or one that must agree with the first in all that is read,
 * and is then left out.
 */
export type IdRule = 'unique' | 'repeated' | 'agreeing'

export type Wanted = {
  readonly id: string
  /** `unique` when absent. */
  readonly ids?: IdRule
  readonly texts?: readonly string[]
  readonly numbers?: readonly string[]
  /** Cells are 1, 0 or missing; "others": all columns but the id. */
  readonly labels?: readonly string[] | 'others'
}

export type Table = {
  readonly file: string
  /** One for each row; all different but where they may be repeated. */
  readonly ids: readonly string[]
  /** Line of each row in a CSV file (the header's is 1; of several, the last); number of the row, from 1, in Parquet. */
  readonly lines: readonly number[]
  /** As written, without the white space around it. Missing is ''. */
  readonly texts: ReadonlyMap<string, readonly string[]>
  /** NaN is missing. Always finite otherwise. */
  readonly numbers: ReadonlyMap<string, Float64Array>
  readonly labelColumns: readonly string[]
  /** [rows × labelColumns], row-major, NaN is unknown. */
  readonly labels: Float32Array
}

export type TableOptions = {
  readonly folder: string
  readonly file: string
  readonly missing: readonly string[]
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** Throws DatasetError at the first cell, row or column that is wrong. */
export const readTable = async (options: TableOptions, wanted: Wanted): Promise<Table> => {
  const { file } = options
  const reader = makeReader(options, wanted)
  const readRows = file.endsWith('.parquet') ? readParquetRows : readCsvRows
  try {
    await readRows(join(options.folder, file), file, reader.take)
  } catch (error) {
    if (!isNoSuchFile(error)) throw error
    throw new DatasetError('missing-file', 'there is no such file', { file }, { cause: error })
  }
  return reader.end()
}

const makeReader = ({ file, missing }: TableOptions, wanted: Wanted) => {
  const isMissing = new Set(missing)
  const idRule = wanted.ids ?? 'unique'
  const ids: string[] = []
  const lines: number[] = []
  const seen = new Map<string, number>()
  const texts = new Map((wanted.texts ?? []).map((column) => [column, [] as string[]]))
  const numbers = new Map((wanted.numbers ?? []).map((column) => [column, growing(Float64Array)]))
  const labels = growing(Float32Array)
  let labelColumns: readonly string[] = []
  let plan: Plan | null = null

  const textOf = (cell: string | null): string => {
    const text = cell?.trim() ?? ''
    return isMissing.has(text) ? '' : text
  }
  const numberOf = (cell: string | null, row: number, column: string): number => {
    if (cell === null) return Number.NaN
    const text = cell.trim()
    if (isMissing.has(text)) return Number.NaN
    if (NUMBER.test(text)) return finite(Number(text))
    throw new DatasetError('not-a-number', `"${short(text)}" is no number`, { file, row, column })
  }
  const labelOf = (cell: string | null, row: number, column: string): number => {
    if (cell === null) return Number.NaN
    const text = cell.trim()
    if (isMissing.has(text)) return Number.NaN
    if (text === '0' || text === '1') return text === '1' ? 1 : 0
    throw new DatasetError('bad-label', `"${short(text)}" is neither 0, 1 nor empty`, { file, row, column })
  }

  const requireAgreement = (cells: Cells, row: number, first: number, plan: Plan): void => {
    const agree = (column: string, before: string | number | undefined, now: string | number): void => {
      if (Object.is(before, now)) return
      const what = `"${now}", but "${before}" in row ${lines[first]} of the same id`
      throw new DatasetError('bad-table', what, { file, row, column })
    }
    const { text, number, label } = plan
    for (const { at, column, values } of text) agree(column, values[first], textOf(cells[at]!))
    for (const { at, column, values } of number) agree(column, values.at(first), numberOf(cells[at]!, row, column))
    for (const [l, { at, column }] of label.entries()) {
      agree(column, labels.at(first * label.length + l), labelOf(cells[at]!, row, column))
    }
  }

  const takeRow = (cells: Cells, row: number, plan: Plan): void => {
    const own = cells[plan.id]?.trim() ?? ''
    if (own === '') throw new DatasetError('missing-value', 'a row without an id', { file, row, column: wanted.id })
    const first = idRule === 'repeated' ? undefined : seen.get(own)
    if (first !== undefined && idRule === 'unique') {
      const what = `"${own}" stands in row ${lines[first]} too`
      throw new DatasetError('duplicate-id', what, { file, row, column: wanted.id })
    }
    if (first !== undefined) {
      requireAgreement(cells, row, first, plan)
      return
    }
    if (idRule !== 'repeated') seen.set(own, ids.length)
    ids.push(own)
    lines.push(row)
    for (const { at, values } of plan.text) values.push(textOf(cells[at]!))
    for (const { at, column, values } of plan.number) values.push(numberOf(cells[at]!, row, column))
    for (const { at, column } of plan.label) labels.push(labelOf(cells[at]!, row, column))
  }

  return {
    take: (cells: Cells, row: number): void => {
      if (plan !== null) {
        takeRow(cells, row, plan)
        return
      }
      const header = cells.map((cell) => cell?.trim() ?? '')
      const at = columnFinder(file, header, row)
      labelColumns =
        wanted.labels === 'others' ? header.filter((column) => column !== wanted.id) : (wanted.labels ?? [])
      plan = {
        id: at(wanted.id),
        text: [...texts].map(([column, values]) => ({ at: at(column), column, values })),
        number: [...numbers].map(([column, values]) => ({ at: at(column), column, values })),
        label: labelColumns.map((column) => ({ at: at(column), column })),
      }
    },
    end: (): Table => {
      if (plan === null) throw new DatasetError('bad-table', 'the file is empty', { file })
      return {
        file,
        ids,
        lines,
        texts,
        numbers: new Map([...numbers].map(([column, values]) => [column, values.end()])),
        labelColumns,
        labels: labels.end(),
      }
    },
  }
}

type Plan = {
  readonly id: number
  readonly text: readonly { readonly at: number; readonly column: string; readonly values: string[] }[]
  readonly number: readonly {
    readonly at: number
    readonly column: string
    readonly values: { push(x: number): void; at(row: number): number | undefined }
  }[]
  readonly label: readonly { readonly at: number; readonly column: string }[]
}

const columnFinder = (file: string, header: readonly string[], row: number) => {
  const places = new Map<string, number>()
  for (const [at, column] of header.entries()) {
    if (places.has(column)) throw new DatasetError('bad-table', 'two columns of that name', { file, row, column })
    places.set(column, at)
  }
  return (column: string): number => {
    const at = places.get(column)
    if (at !== undefined) return at
    throw new DatasetError('missing-column', `there is only ${header.join(', ')}`, { file, row, column })
  }
}

/** What overflows a double is no value that a sensor could have meant. */
const finite = (value: number): number => (Number.isFinite(value) ? value : Number.NaN)

/** Cells in messages: a broken quote can make one of half a file. */
const short = (cell: string): string => (cell.length > 40 ? `${cell.slice(0, 40)}…` : cell)

/** A typed array that doubles as it fills; large tables would not fit as arrays of boxed numbers. */
const growing = <A extends Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(make: new (length: number) => A) => {
  let data = new make(1024)
  let length = 0
  return {
    push: (value: number): void => {
      if (length === data.length) {
        const wider = new make(2 * length)
        wider.set(data)
        data = wider
      }
      data[length++] = value
    },
    at: (row: number): number | undefined => data[row],
    end: (): A => data.subarray(0, length) as A,
  }
}
