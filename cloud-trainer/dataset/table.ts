/** Columns of a table in a CSV or Parquet file, read as a stream; only the columns asked for are kept. */
import { join } from 'node:path'
import { type Cells, type RowTaker, readCsvRows } from './csv-rows.ts'
import { DatasetError } from './dataset-error.ts'
import { isNoSuchFile, naming } from './folder-files.ts'
import { openNumberRows } from './number-rows.ts'
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
  /** Texts and numbers whose column is not there are missing in all rows, as long as some column is there. */
  readonly isPartial?: boolean
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
  readonly numbers: ReadonlyMap<string, Column>
  readonly labelColumns: readonly string[]
  /** [labelColumns] of a row, NaN is unknown. */
  readonly labelsOf: (row: number) => Float32Array
}

/** Numbers by row, undefined where there is none. */
export type Column = { readonly at: (row: number) => number | undefined }

export type TableOptions = {
  readonly folder: string
  readonly file: string
  readonly missing: readonly string[]
  /** Where numbers lie that are too many for memory; null: nowhere. */
  readonly scratch: string | null
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
/** Of labels, as other programs write them. */
const TRUTHS: ReadonlyMap<string, number> = new Map([
  ['true', 1],
  ['false', 0],
])
/** Stands for what could not be decoded. */
const NO_CHARACTER = '\ufffd'

/** Throws DatasetError at the first cell, row or column that is wrong. */
export const readTable = async (options: TableOptions, wanted: Wanted): Promise<Table> => {
  const { file } = options
  const reader = makeReader(options, wanted)
  const readRows = file.endsWith('.parquet') ? readParquetRows : readCsvRows
  try {
    await readRows(join(options.folder, file), file, reader)
  } catch (error) {
    if (!isNoSuchFile(error)) throw naming(file, error)
    throw new DatasetError('missing-file', 'there is no such file', { file }, { cause: error })
  }
  return reader.end()
}

const makeReader = (
  { file, missing, scratch }: TableOptions,
  wanted: Wanted,
): RowTaker & { readonly end: () => Table } => {
  const isMissing = new Set(missing)
  /** -9999 may be written as -9999.00, too. */
  const missingNumbers = new Set(missing.filter((text) => NUMBER.test(text)).map(Number))
  const idRule = wanted.ids ?? 'unique'
  const ids: string[] = []
  const lines: number[] = []
  const seen = new Map<string, number>()
  const texts = new Map((wanted.texts ?? []).map((column) => [column, [] as string[]]))
  const columns = wanted.numbers ?? []
  const numbers = openNumberRows(Float64Array, { width: columns.length, scratch })
  const sharing = shareTexts()
  let labels = openNumberRows(Float32Array, { width: 0, scratch })
  let labelColumns: readonly string[] = []
  let plan: Plan | null = null

  const textOf = (cell: string | null, row: number, column: string): string => {
    const text = cell?.trim() ?? ''
    if (isMissing.has(text)) return ''
    if (!text.includes(NO_CHARACTER)) return text
    throw new DatasetError('bad-table', `"${short(text)}" is not in UTF-8`, { file, row, column })
  }
  const numberOf = (cell: string | null, row: number, column: string): number => {
    if (cell === null) return Number.NaN
    const text = cell.trim()
    if (isMissing.has(text)) return Number.NaN
    if (NUMBER.test(text)) return missingNumbers.has(Number(text)) ? Number.NaN : finite(Number(text))
    throw new DatasetError('not-a-number', `"${short(text)}" is no number`, { file, row, column })
  }
  const labelOf = (cell: string | null, row: number, column: string): number => {
    if (cell === null) return Number.NaN
    const text = cell.trim()
    if (isMissing.has(text)) return Number.NaN
    const value = NUMBER.test(text) ? Number(text) : TRUTHS.get(text.toLowerCase())
    if (value !== undefined && missingNumbers.has(value)) return Number.NaN
    if (value === 0 || value === 1) return value + 0
    throw new DatasetError('bad-label', `"${short(text)}" is neither 0, 1 nor empty`, { file, row, column })
  }

  const requireAgreement = (cells: Cells, row: number, first: number, plan: Plan): void => {
    const agree = (column: string, before: string | number | undefined, now: string | number): void => {
      if (Object.is(before, now)) return
      const what = `"${now}", but "${before}" in row ${lines[first]} of the same id`
      throw new DatasetError('bad-table', what, { file, row, column })
    }
    const { text, number, label } = plan
    for (const { at, column, values } of text) agree(column, values[first], textOf(cells[at] ?? null, row, column))
    for (const [n, { at, column }] of number.entries()) {
      agree(column, numbers.at(first, n), numberOf(cells[at] ?? null, row, column))
    }
    for (const [l, { at, column }] of label.entries()) {
      agree(column, labels.at(first, l), labelOf(cells[at]!, row, column))
    }
  }

  const takeRow = (cells: Cells, row: number, plan: Plan): void => {
    const own = cells[plan.id]?.trim() ?? ''
    if (own.includes(NO_CHARACTER)) textOf(own, row, wanted.id)
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
    ids.push(sharing(own))
    lines.push(row)
    for (const { at, column, values } of plan.text) values.push(sharing(textOf(cells[at] ?? null, row, column)))
    for (const { at, column } of plan.number) numbers.push(numberOf(cells[at] ?? null, row, column))
    for (const { at, column } of plan.label) labels.push(labelOf(cells[at]!, row, column))
  }

  return {
    row: (cells, row) => takeRow(cells, row, plan!),
    header: (cells, row) => {
      const header = cells.map((cell) => cell.trim())
      const at = columnFinder(file, header, row)
      const wantedColumns = [...texts.keys(), ...columns]
      const isPartial = wanted.isPartial === true && wantedColumns.some((column) => header.includes(column))
      /** −1 where there is none. */
      const atIfThere = (column: string): number => (isPartial && !header.includes(column) ? -1 : at(column))
      labelColumns =
        wanted.labels === 'others' ? header.filter((column) => column !== wanted.id) : (wanted.labels ?? [])
      plan = {
        id: at(wanted.id),
        text: [...texts].map(([column, values]) => ({ at: atIfThere(column), column, values })),
        number: columns.map((column) => ({ at: atIfThere(column), column })),
        label: labelColumns.map((column) => ({ at: at(column), column })),
      }
      labels = openNumberRows(Float32Array, { width: labelColumns.length, scratch })
      return [plan.id, ...[...plan.text, ...plan.number, ...plan.label].map((it) => it.at)]
    },
    end: (): Table => {
      if (plan === null) throw new DatasetError('bad-table', 'the file is empty', { file })
      return {
        file,
        ids,
        lines,
        texts,
        numbers: new Map(columns.map((column, n) => [column, { at: (row: number) => numbers.at(row, n) }])),
        labelColumns,
        labelsOf: (row) => Float32Array.from(labelColumns, (_, l) => labels.at(row, l) ?? Number.NaN),
      }
    },
  }
}

type Plan = {
  readonly id: number
  readonly text: readonly { readonly at: number; readonly column: string; readonly values: string[] }[]
  readonly number: readonly { readonly at: number; readonly column: string }[]
  readonly label: readonly { readonly at: number; readonly column: string }[]
}

const columnFinder = (file: string, header: readonly string[], row: number) => {
  const places = new Map<string, number>()
  for (const [at, column] of header.entries()) {
    if (column.includes(NO_CHARACTER)) throw new DatasetError('bad-table', 'not in UTF-8', { file, row, column })
    if (places.has(column)) throw new DatasetError('bad-table', 'two columns of that name', { file, row, column })
    places.set(column, at)
  }
  return (column: string): number => {
    const at = places.get(column)
    if (at !== undefined) return at
    const only = `there is only ${header.join(', ')}`
    const isOtherwise = header.length === 1 && /[;\t|]/.test(header[0]!)
    const hint = isOtherwise ? '; columns are separated by commas in a table that is read' : ''
    throw new DatasetError('missing-column', `${only}${hint}`, { file, row, column })
  }
}

/** What overflows a double is no value that a sensor could have meant. */
const finite = (value: number): number => (Number.isFinite(value) ? value : Number.NaN)

/** Cells in messages: a broken quote can make one of half a file. */
const short = (cell: string): string => (cell.length > 40 ? `${cell.slice(0, 40)}…` : cell)

/** Equal texts become one: long tables repeat their ids and names many times. */
const shareTexts = (): ((text: string) => string) => {
  const known = new Map<string, string>()
  return (text) => {
    const same = known.get(text)
    if (same === undefined) known.set(text, text)
    return same ?? text
  }
}
