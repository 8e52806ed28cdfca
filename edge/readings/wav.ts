/**
 * RIFF WAVE files as field recorders write them, whole and half-finished. Sound is read only when all of it is
 * there: a header that promises more than the file holds means a cut file, with two known exceptions below.
 */
import { err, ok, type Result } from '#shared/std/result.ts'

export type Sound = {
  readonly sampleRateHz: number
  readonly channels: number
  /** Mean over the channels, of full scale −1 … 1. */
  readonly samples: Float64Array
}

type Format = {
  readonly code: number
  readonly channels: number
  readonly sampleRateHz: number
  readonly bytesPerSample: number
}

const PCM = 1
const IEEE_FLOAT = 3
const EXTENSIBLE = 0xfffe
/** Size of a chunk whose writer could not go back to the header: streams, and recorders that lost power. */
const UNKNOWN_SIZES: readonly number[] = [0, 0xffffffff]

/** The error says what is wrong with the file. Reads nothing beyond the file and keeps no part of it. */
export const decodeWav = (file: Uint8Array): Result<Sound, string> => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') return err('is no RIFF WAVE file')
  const chunks = chunksOf(view)
  const formatChunk = chunks.find(({ id }) => id === 'fmt ')
  if (formatChunk === undefined) return err('has no format chunk')
  const format = readFormat(view, formatChunk)
  if (!format.ok) return format
  const data = chunks.find(({ id }) => id === 'data')
  if (data === undefined) return err('has no data chunk')
  const length = lengthOfData(view, data)
  if (!length.ok) return length
  return readSamples(view, format.value, { start: data.start, length: length.value })
}

type Chunk = { readonly id: string; readonly start: number; readonly size: number }

const tag = (view: DataView, at: number): string =>
  String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))

/** Chunks from byte `from`, as far as their headers can be read; the last one may promise too much. */
const chunksOf = (view: DataView, from = 12): readonly Chunk[] => {
  const chunks: Chunk[] = []
  // The size of the whole in bytes 4 to 8 is wrong so often that nobody reads it.
  for (let at = from; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at + 4, true)
    chunks.push({ id: tag(view, at), start: at + 8, size })
    at += 8 + size + (size % 2)
  }
  return chunks
}

const readFormat = (view: DataView, { start, size }: Chunk): Result<Format, string> => {
  if (size < 16 || start + size > view.byteLength) return err('has a cut format chunk')
  const firstCode = view.getUint16(start, true)
  // The extensible form says the code again at the head of its 16-byte identifier.
  if (firstCode === EXTENSIBLE && size < 40) return err('has a cut format chunk')
  const code = firstCode === EXTENSIBLE ? view.getUint16(start + 24, true) : firstCode
  const channels = view.getUint16(start + 2, true)
  const sampleRateHz = view.getUint32(start + 4, true)
  const bits = view.getUint16(start + 14, true)
  if (channels < 1 || channels > 64) return err(`has ${channels} channels`)
  if (sampleRateHz < 1000 || sampleRateHz > 1_000_000) return err(`has a sample rate of ${sampleRateHz} Hz`)
  const isKnown = (code === PCM && [8, 16, 24, 32].includes(bits)) || (code === IEEE_FLOAT && [32, 64].includes(bits))
  if (!isKnown) return err(`has format ${code} with ${bits} bits, which is not read here`)
  return ok({ code, channels, sampleRateHz, bytesPerSample: bits / 8 })
}

/** Bytes of sound that are really there and belong together. */
const lengthOfData = (view: DataView, { start, size }: Chunk): Result<number, string> => {
  const present = view.byteLength - start
  if (UNKNOWN_SIZES.includes(size)) return endsInChunks(view, start) ? err('has no samples') : ok(present)
  const excess = size - present
  // Some writers count the header (with or without the RIFF word and size) into the data: nothing is missing.
  if (excess === start || excess === start - 8) return ok(present)
  if (excess > 0) return err(`promises ${size} bytes of sound and holds ${present}: cut off`)
  // A small size before much that is no chunk: the recorder never wrote what its header is about. Less is litter.
  if (-excess > size && !endsInChunks(view, start + size + (size % 2)))
    return err(`says that its sound is ${size} bytes, but ${-excess} bytes follow that are no chunks`)
  return ok(size)
}

/** Whether from here to the end there are whole chunks, perhaps none, with at most one byte of padding after them. */
const endsInChunks = (view: DataView, from: number): boolean => {
  const chunks = chunksOf(view, from)
  const last = chunks.at(-1)
  const end = last === undefined ? from : last.start + last.size
  return chunks.every(({ id }) => /^[\x20-\x7e]{4}$/.test(id)) && end <= view.byteLength && end + 1 >= view.byteLength
}

const readSamples = (
  view: DataView,
  { code, channels, sampleRateHz, bytesPerSample }: Format,
  { start, length }: { readonly start: number; readonly length: number },
): Result<Sound, string> => {
  const frameBytes = channels * bytesPerSample
  const count = Math.floor(length / frameBytes)
  if (count === 0) return err('has no samples')
  const read = readerOf(view, code, bytesPerSample)
  const samples = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) sum += read(start + i * frameBytes + channel * bytesPerSample)
    if (!Number.isFinite(sum)) return err(`has a sample ${i} that is no number`)
    samples[i] = Math.min(1, Math.max(-1, sum / channels))
  }
  return ok({ sampleRateHz, channels, samples })
}

/** Reads one sample at a byte, full scale being ±1; 8 bits are unsigned, more are signed, all little-endian. */
const readerOf = (view: DataView, code: number, bytesPerSample: number): ((at: number) => number) => {
  if (code === IEEE_FLOAT)
    return bytesPerSample === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true)
  switch (bytesPerSample) {
    case 1:
      return (at) => (view.getUint8(at) - 128) / 128
    case 2:
      return (at) => view.getInt16(at, true) / 32768
    case 3:
      return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608
    default:
      return (at) => view.getInt32(at, true) / 2147483648
  }
}
