/**
 * The file of a checkpoint: "USTYCKPT", format version and header length (uint32), a JSON header, zeros up to a
 * multiple of 64, the arrays as little-endian float32 in the header's order, and the SHA-256 of all before it. Every
 * machine that Node runs on is little-endian, so arrays are written as they lie in memory.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { err, ok, type Result } from '#shared/std/result.ts'

export type Checkpoint = {
  /** Rises with every checkpoint of a run. */
  readonly generation: number
  /** Plain JSON. */
  readonly header: unknown
  readonly arrays: Readonly<Record<string, Float32Array>>
}

const MAGIC = Buffer.from('USTYCKPT')
const VERSION = 1
const FIXED_BYTES = MAGIC.length + 8
const HASH_BYTES = 32
const ALIGNMENT = 64

const envelopeSchema = z.object({
  generation: z.number().int().positive(),
  arrays: z.array(z.object({ name: z.string(), length: z.number().int().nonnegative() })),
  header: z.unknown(),
})

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

const hashOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

export const encodeCheckpoint = ({ generation, header, arrays }: Checkpoint): Uint8Array => {
  const list = Object.entries(arrays)
  const envelope = { generation, arrays: list.map(([name, { length }]) => ({ name, length })), header }
  const json = Buffer.from(JSON.stringify(envelope))
  const start = aligned(FIXED_BYTES + json.length)
  const end = list.reduce((at, [, array]) => at + array.byteLength, start)
  const bytes = Buffer.alloc(end + HASH_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(VERSION, MAGIC.length)
  bytes.writeUInt32LE(json.length, MAGIC.length + 4)
  json.copy(bytes, FIXED_BYTES)
  let at = start
  for (const [, array] of list) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at)
    at += array.byteLength
  }
  hashOf(bytes.subarray(0, end)).copy(bytes, end)
  return bytes
}

/** The error says what is wrong with the file. Arrays are copies. */
export const decodeCheckpoint = (bytes: Uint8Array): Result<Checkpoint, string> => {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < FIXED_BYTES + HASH_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) {
    return err('it is no checkpoint')
  }
  const version = file.readUInt32LE(MAGIC.length)
  if (version !== VERSION) return err(`its format version is ${version}, this program reads ${VERSION}`)
  const end = file.length - HASH_BYTES
  if (!hashOf(file.subarray(0, end)).equals(file.subarray(end))) return err('its bytes do not match their hash')
  const jsonLength = file.readUInt32LE(MAGIC.length + 4)
  const {
    generation,
    header,
    arrays: list,
  } = envelopeSchema.parse(JSON.parse(file.toString('utf8', FIXED_BYTES, FIXED_BYTES + jsonLength)))
  const arrays: Record<string, Float32Array> = {}
  let at = aligned(FIXED_BYTES + jsonLength)
  for (const { name, length } of list) {
    arrays[name] = new Float32Array(Uint8Array.from(file.subarray(at, at + 4 * length)).buffer)
    at += 4 * length
  }
  return at === end ? ok({ generation, header, arrays }) : err('its arrays do not fill it')
}
