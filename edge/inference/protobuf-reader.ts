/**
 * Reading protocol buffers of hostile origin (encoding: protobuf.dev/programming-guides/encoding). A message is
 * read by its description; a field that isn't in it, comes as another wire type, or comes twice where it may come
 * once, is refused, so that no other reader can see something else in the same bytes. Contents are views.
 */

export class ProtobufError extends Error {
  readonly code = 'protobuf'
  constructor(message: string) {
    super(message)
    this.name = 'ProtobufError'
  }
}

export const refuse = (reason: string): never => {
  throw new ProtobufError(reason)
}

const VARINT = 0
const BYTES = 2
const FIXED32 = 5

/** `number`: an integer of 64 bits, two's complement. `float`: 32 bits. `bytes`: text, a message or raw data. */
type FieldKind = 'number' | 'float' | 'bytes'

export type MessageKind = {
  readonly name: string
  readonly once?: Readonly<Record<number, FieldKind>>
  readonly many?: Readonly<Record<number, FieldKind>>
  /** Names of known fields that are refused, for the reason. */
  readonly refused?: Readonly<Record<number, string>>
}

const WIRE: Readonly<Record<FieldKind, number>> = { number: VARINT, float: FIXED32, bytes: BYTES }

/** Fields that may still be read; shared by all messages of one file, it bounds time and memory. */
export type Budget = { fields: number }

export type Fields = {
  readonly numbers: (field: number) => readonly number[]
  readonly bytes: (field: number) => readonly Uint8Array[]
  /** The only occurrence, "" when absent. */
  readonly text: (field: number) => string
}

const MAX_TEXT_BYTES = 256

export const textOf = (bytes: Uint8Array): string => {
  if (bytes.length > MAX_TEXT_BYTES) return refuse(`a name of ${bytes.length} bytes`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** Where the next field starts, and what the last one held. */
type Cursor = { at: number; value: number }

/** Leaves a varint of at most ten bytes in `cursor.value`. */
const readVarint = (bytes: Uint8Array, cursor: Cursor): void => {
  let value = 0n
  for (let i = 0; i < 10; i++) {
    if (cursor.at >= bytes.length) refuse('the file ends within a number')
    const byte = bytes[cursor.at++]!
    // Most numbers are one byte: tags, types and short lengths.
    if (i === 0 && byte < 0x80) {
      cursor.value = byte
      return
    }
    value |= BigInt(byte & 0x7f) << BigInt(7 * i)
    if (byte < 0x80) {
      cursor.value = Number(BigInt.asIntN(64, value))
      if (!Number.isSafeInteger(cursor.value)) refuse('a number beyond 53 bits')
      return
    }
  }
  refuse('a number of more than ten bytes')
}

const fieldName = (kind: MessageKind, field: number): string =>
  kind.refused?.[field] ?? `field ${field} of ${kind.name}, which our exporter does not write`

/** Throws ProtobufError. */
export const readMessage = (bytes: Uint8Array, kind: MessageKind, budget: Budget): Fields => {
  const numbers = new Map<number, number[]>()
  const chunks = new Map<number, Uint8Array[]>()
  const seen = new Set<number>()
  const cursor: Cursor = { at: 0, value: 0 }
  while (cursor.at < bytes.length) {
    if (--budget.fields < 0) refuse('too many fields')
    readVarint(bytes, cursor)
    const [field, wire] = [Math.floor(cursor.value / 8), cursor.value & 7]
    const wanted = kind.once?.[field] ?? kind.many?.[field] ?? refuse(fieldName(kind, field))
    if (wire !== WIRE[wanted]) refuse(`field ${field} of ${kind.name} in wire type ${wire}`)
    if (kind.many?.[field] === undefined) {
      if (seen.has(field)) refuse(`field ${field} of ${kind.name} twice`)
      seen.add(field)
    }
    if (wanted === 'number') {
      readVarint(bytes, cursor)
      append(numbers, field, cursor.value)
      continue
    }
    if (wanted === 'bytes') readVarint(bytes, cursor)
    const length = wanted === 'bytes' ? cursor.value : 4
    if (length < 0 || length > bytes.length - cursor.at) refuse(`${kind.name} ends early`)
    append(chunks, field, bytes.subarray(cursor.at, cursor.at + length))
    cursor.at += length
  }
  return {
    numbers: (field) => numbers.get(field) ?? [],
    bytes: (field) => chunks.get(field) ?? [],
    text: (field) => textOf(chunks.get(field)?.[0] ?? new Uint8Array()),
  }
}

const append = <T>(map: Map<number, T[]>, field: number, item: T): void => {
  const items = map.get(field)
  if (items) items.push(item)
  else map.set(field, [item])
}
