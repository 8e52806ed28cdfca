/**
 * Writing protocol buffers (encoding: protobuf.dev/programming-guides/encoding). A message is a list of
 * byte chunks, so large payloads are copied once, at the very end.
 */

export type Message = readonly Uint8Array[]

const VARINT = 0
const BYTES = 2
const FIXED32 = 5

const varint = (value: bigint): Uint8Array => {
  // Negative numbers are written as their 64-bit two's complement.
  let rest = BigInt.asUintN(64, value)
  const bytes: number[] = []
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

const tag = (field: number, wire: number): Uint8Array => varint(BigInt(field * 8 + wire))

export const intField = (field: number, value: number): Message => [tag(field, VARINT), varint(BigInt(value))]

export const floatField = (field: number, value: number): Message => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return [tag(field, FIXED32), bytes]
}

const lengthOf = (message: Message): number => message.reduce((sum, chunk) => sum + chunk.length, 0)

export const messageField = (field: number, ...parts: readonly Message[]): Message => {
  const chunks = parts.flat()
  return [tag(field, BYTES), varint(BigInt(lengthOf(chunks))), ...chunks]
}

export const bytesField = (field: number, bytes: Uint8Array): Message => messageField(field, [bytes])

export const textField = (field: number, value: string): Message => bytesField(field, new TextEncoder().encode(value))

export const toBytes = (message: Message): Uint8Array => {
  const bytes = new Uint8Array(lengthOf(message))
  let offset = 0
  for (const chunk of message) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
