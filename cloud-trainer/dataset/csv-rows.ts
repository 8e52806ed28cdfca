/** Rows of a CSV file, the header's first, read as a stream. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse } from 'csv-parse'
import { DatasetError } from './dataset-error.ts'

/** Null: a cell without a value, whatever stands for one in the description. */
export type Cells = readonly (string | null)[]

/** What is done with the rows of a table, in their order. */
export type RowTaker = {
  /** Returns which of the columns are looked at, by place; others may be null in all rows. */
  readonly header: (columns: readonly string[], row: number) => readonly number[]
  readonly row: (cells: Cells, row: number) => void
}

/**
 * Rows count by their line, the header's being 1; one of several lines by its last. Throws DatasetError for a file that
 * is no CSV; what reading or `take` throws passes through.
 */
export const readCsvRows = async (path: string, file: string, take: RowTaker): Promise<void> => {
  const parser = parse({ bom: true, info: true, skip_empty_lines: true })
  try {
    await pipeline(createReadStream(path), parser, async (rows) => {
      let counted = 0
      let countedTwice = 0
      let isHeader = true
      for await (const { record, info } of rows) {
        if (info.lines > counted + 1) countedTwice += lineBreaksOfTwo(record)
        counted = info.lines
        const line = info.lines - countedTwice
        if (isHeader) take.header(record, line)
        else take.row(record, line)
        isHeader = false
      }
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const row = typeof error.lines === 'number' ? { row: error.lines } : {}
    throw new DatasetError('bad-table', error.message, { file, ...row }, { cause: error })
  }
}

/** The parser counts a line break of two characters within quotes as two lines. */
const lineBreaksOfTwo = (cells: readonly string[]): number => cells.join().split('\r\n').length - 1
