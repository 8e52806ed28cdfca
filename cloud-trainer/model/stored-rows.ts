/**
 * Rows and labels of a set that lies in a file, read by whichever thread needs them. The operating system keeps in memory
 * what it has room for.
 *
 * A row is two records, each behind its checksum: a head (the mask, then the labels, a byte each) and a body (numbers as
 * they are, then the codes of pixels). Pixels of images have 256 possible values in each channel, so their tokens are
 * kept as one byte a number and a table of the 256: a quarter of the size, and the same bits.
 */
import { crc32 } from 'node:zlib'
import { readInto } from '#shared/platform/read-at.ts'
import { assert } from '#shared/std/assert.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { type LabelValues, lazyRows, type TokenRows } from './token-rows.ts'

/** Where the numbers of coded tokens lie among a row's features, and what their codes mean. */
export type CodedToken = {
  readonly slot: number
  readonly offset: number
  readonly length: number
  /** The i-th number is value `code` of table `firstTable + i % tables`. */
  readonly firstTable: number
  readonly tables: number
}

export type RowFormat = {
  readonly slots: number
  readonly labels: number
  readonly featureCount: number
  readonly coded: readonly CodedToken[]
  /** [tables × 256] */
  readonly values: Float32Array
  /** Runs of features that are kept as they are. */
  readonly plain: readonly { readonly offset: number; readonly length: number }[]
}

/** Plain data, which threads of this process get as it is. */
export type StoredRows = {
  /** Of the open file. */
  readonly descriptor: number
  /** For people. */
  readonly file: string
  readonly format: RowFormat
  /** Rows of the whole file. */
  readonly total: number
  /** Row of the file that comes first, then those that follow it, `count` in all. */
  readonly first: number
  readonly count: number
  /** Which of them are meant, by their number among them; null: all, in their order. */
  readonly picked: Int32Array | null
  /** [slots], 1 = hidden in every row besides what is missing; null: nothing. */
  readonly hidden: Uint8Array | null
}

const CHECKSUM_BYTES = 4
const TABLE = 256
const UNKNOWN = 2

const headBytes = ({ slots, labels }: RowFormat): number => CHECKSUM_BYTES + slots + labels

const sum = (runs: readonly { readonly length: number }[]): number => runs.reduce((all, { length }) => all + length, 0)

const bodyBytes = ({ plain, coded }: RowFormat): number => CHECKSUM_BYTES + 4 * sum(plain) + sum(coded)

/** Heads of all rows come first. */
export const headPosition = (format: RowFormat, row: number): number => row * headBytes(format)

export const bodyPosition = (format: RowFormat, total: number, row: number): number =>
  total * headBytes(format) + row * bodyBytes(format)

export const rowsEnd = (format: RowFormat, total: number): number => bodyPosition(format, total, total)

const sealed = (bytes: Buffer): Buffer => {
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_BYTES)))
  return bytes
}

export const encodeHead = ({ slots, labels }: RowFormat, hidden: Uint8Array, known: Float32Array): Buffer => {
  assert(hidden.length === slots && known.length === labels, 'a row has its mask and its labels', {
    hidden: hidden.length,
    labels: known.length,
  })
  const bytes = Buffer.alloc(CHECKSUM_BYTES + slots + labels)
  bytes.set(hidden, CHECKSUM_BYTES)
  for (const [i, label] of known.entries()) {
    assert(label === 0 || label === 1 || Number.isNaN(label), 'a label is 1, 0 or unknown', { label })
    bytes[CHECKSUM_BYTES + slots + i] = Number.isNaN(label) ? UNKNOWN : label
  }
  return sealed(bytes)
}

export const encodeBody = (format: RowFormat, { features, hidden }: TokenSet): Buffer => {
  const bytes = Buffer.alloc(bodyBytes(format))
  let at = CHECKSUM_BYTES
  for (const { offset, length } of format.plain) {
    const run = features.subarray(offset, offset + length)
    bytes.set(new Uint8Array(run.buffer, run.byteOffset, run.byteLength), at)
    at += run.byteLength
  }
  for (const { slot, offset, length, firstTable, tables } of format.coded) {
    for (let i = 0; hidden[slot] === 0 && i < length; i++) {
      const start = TABLE * (firstTable + (i % tables))
      bytes[at + i] = codeOf(format.values, start, features[offset + i]!)
    }
    at += length
  }
  return sealed(bytes)
}

/** Values of a table never fall. */
const codeOf = (values: Float32Array, start: number, value: number): number => {
  let low = 0
  let high = TABLE - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[start + middle]! < value) low = middle + 1
    else high = middle
  }
  assert(values[start + low] === value, 'a pixel has one of 256 values', { value })
  return low
}

class StoredRowsError extends Error {
  readonly code = 'damaged'
  readonly hint = 'Remove the file, and start again: it is made anew from the data.'
  constructor(file: string, row: number, options?: ErrorOptions) {
    super(`${file}: row ${row} is damaged`, options)
    this.name = 'StoredRowsError'
  }
}

/** Of this thread, for one record at a time: a new one for each would be most of what there is to collect. */
let record = Buffer.from(new ArrayBuffer(2 ** 12))

/** Without its checksum, which has held; overwritten by the next call. */
const checked = ({ descriptor, file }: StoredRows, row: number, position: number, length: number): Buffer => {
  if (record.length < length) record = Buffer.from(new ArrayBuffer(length))
  const bytes = record.subarray(0, length)
  try {
    readInto(descriptor, bytes, position)
  } catch (cause) {
    throw new StoredRowsError(file, row, { cause })
  }
  const content = bytes.subarray(CHECKSUM_BYTES)
  if (crc32(content) !== bytes.readUInt32LE()) throw new StoredRowsError(file, row)
  return content
}

/** Number in the file. */
const placeOf = ({ first, count, picked }: StoredRows, row: number): number => {
  const own = picked === null ? row : (picked[row] ?? -1)
  assert(own >= 0 && own < count, 'a row of the part', { row, count })
  return first + own
}

const headOf = (stored: StoredRows, place: number): Buffer =>
  checked(stored, place, headPosition(stored.format, place), headBytes(stored.format))

/** [slots], 1 = missing, or hidden in every row. */
export const storedHidden = (stored: StoredRows, row: number): Uint8Array => {
  const missing = Uint8Array.from(headOf(stored, placeOf(stored, row)).subarray(0, stored.format.slots))
  const { hidden } = stored
  return hidden === null ? missing : missing.map((value, slot) => value | hidden[slot]!)
}

/** [labels]: 1, 0 or NaN. */
export const storedLabels = (stored: StoredRows, row: number): Float32Array =>
  Float32Array.from(headOf(stored, placeOf(stored, row)).subarray(stored.format.slots), (code) =>
    code === UNKNOWN ? Number.NaN : code,
  )

export const storedFeatures = (stored: StoredRows, row: number): Float32Array => {
  const { format, total } = stored
  const place = placeOf(stored, row)
  const missing = Uint8Array.from(headOf(stored, place).subarray(0, format.slots))
  const body = checked(stored, place, bodyPosition(format, total, place), bodyBytes(format))
  const features = new Float32Array(format.featureCount)
  let at = 0
  for (const { offset, length } of format.plain) {
    features.set(new Float32Array(body.buffer, body.byteOffset + at, length), offset)
    at += 4 * length
  }
  const { values } = format
  for (const { slot, offset, length, firstTable, tables } of format.coded) {
    for (let i = 0; missing[slot] === 0 && i < length; i++) {
      features[offset + i] = values[TABLE * (firstTable + (i % tables)) + body[at + i]!]!
    }
    at += length
  }
  return features
}

const lengthOf = ({ count, picked }: StoredRows): number => picked?.length ?? count

/** As rows of a training set. */
export const tokenRowsOf = (stored: StoredRows): TokenRows => ({
  ...lazyRows(lengthOf(stored), (row) => ({
    get features() {
      return storedFeatures(stored, row)
    },
    hidden: storedHidden(stored, row),
  })),
  stored,
})

/** And their labels. Whole rows are read, of which a part may be asked for. */
export const labelsOf = (stored: StoredRows): LabelValues => {
  const { format } = stored
  return {
    length: lengthOf(stored) * format.labels,
    subarray: (from, to) => {
      const values = new Float32Array(to - from)
      for (let row = Math.floor(from / format.labels); row * format.labels < to; row++) {
        const known = storedLabels(stored, row)
        const start = row * format.labels
        const part = known.subarray(Math.max(0, from - start), Math.min(known.length, to - start))
        values.set(part, Math.max(0, start - from))
      }
      return values
    },
    stored,
  }
}
