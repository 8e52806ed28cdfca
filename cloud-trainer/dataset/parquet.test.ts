import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { parquetMetadata } from 'hyparquet'
import { ByteWriter, parquetWriteBuffer } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { expect, test } from 'vitest'
import { type Files, withFolder } from '#test/support/data-folder.ts'
import { buildTrainingSet } from './build-set.ts'
import { DatasetError } from './dataset-error.ts'
import { readParquetRows } from './parquet-rows.ts'
import { readFolder } from './read-folder.ts'

type Columns = Parameters<typeof parquetWriteBuffer>[0]['columnData']

const parquetOf = (columnData: Columns, options: object = {}): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...options }))

const descriptionOf = (table: string, change: object = {}): string =>
  JSON.stringify({
    schema: 'dataset/1',
    table,
    id: 'id',
    time: 'at',
    split: { column: 'part', train: [0], validation: [1], test: [] },
    labels: { file: table, columns: ['owl'] },
    modalities: [{ kind: 'tabular', name: 'm', columns: ['x', { column: 'rock', categories: ['lime', 'slate'] }] }],
    ...change,
  })

const read = (table: string, files: Files, change: object = {}) =>
  withFolder({ ...files, 'dataset.json': descriptionOf(table, change) }, (folder) => readFolder(folder))

const failure = async (table: string, files: Files): Promise<readonly [string, string]> => {
  const error = await read(table, files).catch((reason: unknown) => reason)
  if (error instanceof DatasetError) return [error.code, error.message]
  throw error
}

const COLUMNS: Columns = [
  { name: 'id', data: [7n, 8n, 9n], type: 'INT64' },
  { name: 'part', data: [0, 1, 0], type: 'INT32' },
  {
    name: 'at',
    data: ['2024-05-01T06:30:00Z', '2024-05-01T07:00:00Z', '2025-01-01T00:00:00Z'].map((text) => new Date(text)),
    type: 'TIMESTAMP',
  },
  { name: 'owl', data: [true, false, null], type: 'BOOLEAN' },
  { name: 'x', data: [0.1, Number.NaN, null], type: 'DOUBLE' },
  { name: 'rock', data: ['lime', null, 'slate'], type: 'STRING' },
]
const SAME_AS_CSV = `id,part,at,owl,x,rock
7,0,2024-05-01T06:30:00Z,1,0.1,lime
8,1,2024-05-01T07:00:00Z,0,,
9,0,2025-01-01T00:00:00Z,,,slate
`

test('a Parquet table is read as the CSV of the same values, whatever its compression and row groups', async () => {
  const csv = await read('rows.csv', { 'rows.csv': SAME_AS_CSV })
  const compressors = { ZSTD: (input: Uint8Array) => zstdCompressSync(input) }
  const forms = [{}, { codec: 'UNCOMPRESSED' }, { codec: 'ZSTD', compressors }, { rowGroupSize: 1 }]
  for (const form of forms) {
    const parquet = await read('rows.parquet', { 'rows.parquet': parquetOf(COLUMNS, form) })
    expect(parquet).toEqual(csv)
    expect(buildTrainingSet(parquet).hash).toBe(buildTrainingSet(csv).hash)
  }
})

test('a missing cell is missing even where the empty text is not', async () => {
  const raw = await read('rows.parquet', { 'rows.parquet': parquetOf(COLUMNS) }, { missing: ['-9'] })
  expect(raw.examples[1]!.readings).toEqual([])
})

test('any finite number comes through as it is', async () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true })
  await fc.assert(
    fc.asyncProperty(fc.array(number, { minLength: 1, maxLength: 20 }), async (data) => {
      const seen: unknown[] = []
      await withFolder({ 'x.parquet': parquetOf([{ name: 'x', data, type: 'DOUBLE' }]) }, (folder) =>
        readParquetRows(join(folder, 'x.parquet'), 'x.parquet', {
          header: () => [0],
          row: ([cell]) => seen.push(Number(cell)),
        }),
      )
      // A table has no negative zero: its text is "0".
      expect(seen).toEqual(data.map((x) => x + 0))
    }),
    { numRuns: 50 },
  )
})

test('decimal numbers are the ones that a CSV has', async () => {
  const element = { name: 'x', type: 'INT32', repetition_type: 'OPTIONAL', converted_type: 'DECIMAL' }
  const file = parquetOf([{ name: 'x', data: [0.57, -0.29, null, 12_345.67] }], {
    schema: [
      { name: 'root', num_children: 1 },
      { ...element, scale: 2, precision: 9 },
    ],
  })
  const seen: unknown[] = []
  await withFolder({ 'x.parquet': file }, (folder) =>
    readParquetRows(join(folder, 'x.parquet'), 'x.parquet', {
      header: (names) => {
        seen.push(...names)
        return [0]
      },
      row: ([cell]) => seen.push(cell),
    }),
  )
  expect(seen).toEqual(['x', '0.57', '-0.29', null, '12345.67'])
})

/** The same columns; the file says of itself that there are more rows. */
const withMoreRows = (file: Uint8Array, rows: bigint): Uint8Array => {
  const metadata = parquetMetadata(file.slice().buffer)
  const writer = new ByteWriter()
  writer.appendBytes(file.subarray(0, file.length - 8 - metadata.metadata_length))
  const groups = metadata.row_groups.map((group) => ({ ...group, num_rows: rows }))
  writeMetadata(writer, { ...metadata, num_rows: rows, row_groups: groups })
  writer.appendBytes(new TextEncoder().encode('PAR1'))
  return new Uint8Array(writer.getBuffer())
}

test('columns that nobody looks at may hold anything, as shapes and lists', async () => {
  const more: Columns = [
    { name: 'geometry', data: [0, 1, 2].map((x) => ({ type: 'Point', coordinates: [x, 0] })), type: 'GEOMETRY' },
    { name: 'tags', data: [{ a: 1 }, { a: 2 }, null], type: 'JSON' },
  ]
  const plain = await read('rows.parquet', { 'rows.parquet': parquetOf(COLUMNS) })
  expect(await read('rows.parquet', { 'rows.parquet': parquetOf([...more, ...COLUMNS]) })).toEqual(plain)
})

test('of columns that nobody looks at not a byte is decoded', async () => {
  const file = parquetOf(
    [
      { name: 'x', data: [1, 2] },
      { name: 'duration', data: [new Uint8Array(12), new Uint8Array(12)] },
    ],
    {
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'x', type: 'INT32', repetition_type: 'REQUIRED' },
        // The reader knows no intervals.
        {
          name: 'duration',
          repetition_type: 'REQUIRED',
          type: 'FIXED_LEN_BYTE_ARRAY',
          type_length: 12,
          converted_type: 'INTERVAL',
        },
      ],
    },
  )
  const rowsOf = (places: readonly number[]) =>
    withFolder({ 'x.parquet': file }, async (folder) => {
      const rows: unknown[] = []
      const take = { header: () => places, row: (cells: readonly (string | null)[]) => rows.push(cells) }
      await readParquetRows(join(folder, 'x.parquet'), 'x.parquet', take)
      return rows
    })
  expect(await rowsOf([0])).toEqual([
    ['1', null],
    ['2', null],
  ])
  await expect(rowsOf([0, 1])).rejects.toThrow('parquet interval not supported')
})

test('what is wrong is named with file, row and column', async () => {
  const whole = parquetOf(COLUMNS)
  const withX = (x: Columns[number]) => parquetOf(COLUMNS.map((column) => (column.name === 'x' ? x : column)))
  const faults: readonly (readonly [Uint8Array, string, RegExp])[] = [
    [whole.subarray(0, whole.length - 9), 'bad-table', /^rows\.parquet: this is no Parquet file that can be read: /],
    [whole.map((byte, i) => (i < 200 ? ~byte : byte)), 'bad-table', /^rows\.parquet: /],
    [new TextEncoder().encode(SAME_AS_CSV), 'bad-table', /^rows\.parquet: this is no Parquet file/],
    [new Uint8Array(0), 'bad-table', /^rows\.parquet: this is no Parquet file/],
    [
      withX({ name: 'x', data: ['1', 'two', '3'], type: 'STRING' }),
      'not-a-number',
      /^rows\.parquet, row 2, column "x": "two" is no number/,
    ],
    [
      withX({ name: 'x', data: [1, Number.POSITIVE_INFINITY, 3], type: 'DOUBLE' }),
      'not-a-number',
      /^rows\.parquet, row 2, column "x": "Infinity" is no number/,
    ],
    [
      withX({ name: 'x', data: [{ a: 1 }, { a: 2 }, null], type: 'JSON' }),
      'bad-table',
      /^rows\.parquet, row 1, column "x": this is neither number, text, truth nor time/,
    ],
    [
      withX({ name: 'x', data: [2n ** 63n - 1n, 0n, 0n], type: 'TIMESTAMP' }),
      'bad-table',
      /^rows\.parquet, row 1, column "x": this is neither number, text, truth nor time/,
    ],
    [withMoreRows(whole, 4n), 'bad-table', /^rows\.parquet, row 4, column "id": the column ends before this row/],
    [withX({ name: 'y', data: [1, 2, 3], type: 'DOUBLE' }), 'missing-column', /^rows\.parquet, row 0, column "x": /],
  ]
  for (const [file, code, message] of faults) {
    expect(await failure('rows.parquet', { 'rows.parquet': file })).toEqual([code, expect.stringMatching(message)])
  }
  expect(await failure('rows.parquet', {})).toEqual(['missing-file', 'rows.parquet: there is no such file'])
})
