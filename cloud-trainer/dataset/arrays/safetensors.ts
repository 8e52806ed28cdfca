/** Safetensors: 8 bytes of header length, a JSON header, then the elements of all tensors without gaps. */
import { z } from 'zod'
import { DatasetError } from '../dataset-error.ts'
import type { LoadedArray } from './array-file.ts'
import { countOf, decodeElements, ELEMENT_BYTES, type ElementType } from './elements.ts'

const TYPES: Readonly<Record<string, ElementType>> = {
  BOOL: 'bool',
  U8: 'u1',
  U16: 'u2',
  U32: 'u4',
  U64: 'u8',
  I8: 'i1',
  I16: 'i2',
  I32: 'i4',
  I64: 'i8',
  F16: 'f2',
  BF16: 'bf2',
  F32: 'f4',
  F64: 'f8',
}

const LONGEST_HEADER = 16 * 2 ** 20

const count = z.int().nonnegative()
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count).max(32),
  data_offsets: z.tuple([count, count]),
})

/** All entries are checked before anything is decoded. Throws DatasetError. */
export const parseSafetensors = (bytes: Uint8Array, file: string): ReadonlyMap<string, () => LoadedArray> => {
  const read: BytesAt = (position, length) => bytes.subarray(position, position + length)
  return new Map(
    [...safetensorsIndex(read, bytes.length, file)].map(([name, { type, shape, from, to }]) => {
      const load = () => ({ shape, values: decodeElements(bytes.subarray(from, to), type, file) })
      return [name, load] as const
    }),
  )
}

type BytesAt = (position: number, length: number) => Uint8Array

export type StoredTensor = {
  readonly type: ElementType
  readonly shape: readonly number[]
  /** Bytes of the file. */
  readonly from: number
  readonly to: number
}

/** What a file of so many bytes holds; only its header is read. Throws DatasetError. */
export const safetensorsIndex = (read: BytesAt, fileBytes: number, file: string): ReadonlyMap<string, StoredTensor> => {
  const refuse = (what: string, offset: number): never => {
    throw new DatasetError('bad-array', what, { file, offset })
  }
  if (fileBytes < 8) return refuse('ends within the header', fileBytes)
  const start = read(0, 8)
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true))
  if (length > LONGEST_HEADER) return refuse(`a header of ${length} bytes; at most ${LONGEST_HEADER} are read`, 0)
  if (8 + length > fileBytes) return refuse('ends within the header', fileBytes)
  const dataBytes = fileBytes - 8 - length

  const tensors = new Map<string, StoredTensor>()
  const spans: { readonly name: string; readonly from: number; readonly to: number }[] = []
  for (const [name, described] of Object.entries(parseHeader(read(8, length), refuse))) {
    if (name === '__metadata__') continue
    const parsed = entrySchema.safeParse(described)
    if (!parsed.success) return refuse(`"${name}": ${z.prettifyError(parsed.error)}`, 8)
    const { dtype, shape, data_offsets: offsets } = parsed.data
    const type = Object.hasOwn(TYPES, dtype) ? TYPES[dtype]! : refuse(`"${name}" has the unknown type ${dtype}`, 8)
    const [from, to] = offsets
    const elements = countOf(shape)
    if (elements === null || elements * ELEMENT_BYTES[type] !== to - from) {
      return refuse(`"${name}" has ${to - from} bytes, but is ${dtype} of [${shape.join(', ')}]`, 8)
    }
    spans.push({ name, from, to })
    tensors.set(name, { type, shape, from: 8 + length + from, to: 8 + length + to })
  }

  let end = 0
  for (const { name, from, to } of spans.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) return refuse(`"${name}" ${from < end ? 'overlaps another' : 'leaves a gap'}`, 8 + length + from)
    end = to
  }
  if (end !== dataBytes) return refuse(`${dataBytes} bytes of data, but ${end} are described`, 8 + length)
  return tensors
}

const parseHeader = (bytes: Uint8Array, refuse: (what: string, offset: number) => never): object => {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return refuse('the header is no JSON', 8)
  }
  return typeof header === 'object' && header !== null && !Array.isArray(header)
    ? header
    : refuse('the header is no JSON object', 8)
}
