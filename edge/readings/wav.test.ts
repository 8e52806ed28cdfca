import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeWav } from './wav.ts'

type Form = {
  readonly code: number
  readonly bits: number
  readonly channels?: number
  readonly rateHz?: number
  readonly extensible?: boolean
}

const chunk = (id: string, body: Uint8Array, size = body.length): Buffer => {
  const head = Buffer.alloc(8)
  head.write(id, 0, 'latin1')
  head.writeUInt32LE(size, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
}

const formatBody = ({ code, bits, channels = 1, rateHz = 16000, extensible = false }: Form): Buffer => {
  const body = Buffer.alloc(extensible ? 40 : 16)
  body.writeUInt16LE(extensible ? 0xfffe : code, 0)
  body.writeUInt16LE(channels, 2)
  body.writeUInt32LE(rateHz, 4)
  body.writeUInt32LE((rateHz * channels * bits) / 8, 8)
  body.writeUInt16LE((channels * bits) / 8, 12)
  body.writeUInt16LE(bits, 14)
  if (extensible) body.writeUInt16LE(code, 24)
  return body
}

/** RIFF size 0 unless `wav` sets it: readers must not need it. */
const riff = (...chunks: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), ...chunks])

/** Samples of −1 … 1, interleaved, in the form's own numbers. */
const encode = ({ code, bits }: Form, samples: readonly number[]): Buffer => {
  const body = Buffer.alloc((samples.length * bits) / 8)
  for (const [i, x] of samples.entries()) {
    const at = (i * bits) / 8
    if (code === 3 && bits === 32) body.writeFloatLE(x, at)
    else if (code === 3) body.writeDoubleLE(x, at)
    else if (bits === 8) body.writeUInt8(Math.min(255, Math.round(x * 128) + 128), at)
    else body.writeIntLE(Math.min(2 ** (bits - 1) - 1, Math.round(x * 2 ** (bits - 1))), at, bits / 8)
  }
  return body
}

const PCM16: Form = { code: 1, bits: 16 }
const fmt = (form: Form = PCM16) => chunk('fmt ', formatBody(form))

const decoded = (file: Uint8Array) => {
  const result = decodeWav(file)
  return result.ok ? [...result.value.samples] : result.error
}

const FORMS: readonly Form[] = [
  { code: 1, bits: 8 },
  PCM16,
  { code: 1, bits: 24 },
  { code: 1, bits: 32 },
  { code: 3, bits: 32 },
  { code: 3, bits: 64 },
]

test('samples come back within half a step, in all forms, plain and extensible, one channel and more', () => {
  const samples = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(
      fc.constantFrom(...FORMS),
      fc.boolean(),
      fc.integer({ min: 1, max: 3 }),
      samples,
      (form, extensible, channels, mono) => {
        const interleaved = mono.flatMap((x) => Array.from({ length: channels }, () => x))
        const whole = { ...form, extensible, channels, rateHz: 44100 }
        const result = decodeWav(riff(fmt(whole), chunk('data', encode(form, interleaved))))
        if (!result.ok) throw new Error(result.error)
        expect(result.value.sampleRateHz).toBe(44100)
        expect(result.value.samples).toHaveLength(mono.length)
        // Full scale +1 is one step above what integers hold.
        const step = form.code === 3 ? 1e-6 : 2 ** (1 - form.bits)
        mono.forEach((x, i) => {
          expect(Math.abs(result.value.samples[i]! - x)).toBeLessThanOrEqual(step * 1.001)
        })
      },
    ),
  )
})

test('channels are averaged, and floats beyond full scale are clipped', () => {
  const stereo = { ...PCM16, channels: 2 }
  expect(decoded(riff(fmt(stereo), chunk('data', encode(PCM16, [0.5, 0.25, -0.5, 0]))))).toEqual([0.375, -0.25])
  const float = { code: 3, bits: 32 }
  expect(decoded(riff(fmt(float), chunk('data', encode(float, [3, -1e30, 0.5]))))).toEqual([1, -1, 0.5])
  expect(decoded(riff(fmt(float), chunk('data', encode(float, [0, NaN]))))).toMatch('sample 1 that is no number')
})

const SOUND = encode(PCM16, [0.5, -0.5, 0.25, 0.125])
const SAMPLES = [0.5, -0.5, 0.25, 0.125]
const COMMENT = chunk('LIST', Buffer.from('INFOICMT\x0c\0\0\0Recorded at '))

test('comments of AudioMoth, GUANO and others stand anywhere', () => {
  const data = chunk('data', SOUND)
  for (const file of [
    riff(fmt(), COMMENT, data),
    riff(fmt(), data, COMMENT),
    riff(COMMENT, fmt(), chunk('guan', Buffer.from('GUANO|Version:1.0')), data, chunk('id3 ', Buffer.alloc(7))),
    // A few bytes behind the end are litter.
    riff(fmt(), data, Buffer.from([0, 0, 0])),
  ])
    expect(decoded(file)).toEqual(SAMPLES)
})

test('size fields of recorders that lost power, and of streams', () => {
  const check = (file: Uint8Array, expected: readonly number[] | string) =>
    typeof expected === 'string' ? expect(decoded(file)).toMatch(expected) : expect(decoded(file)).toEqual(expected)
  const long = Buffer.alloc(4000)
  // A file with only a header, of 44 or of 153 bytes.
  check(riff(fmt(), chunk('data', Buffer.alloc(0))), 'has no samples')
  check(riff(fmt(), chunk('junk', Buffer.alloc(101)).subarray(0, 109), chunk('data', Buffer.alloc(0))), 'has no')
  check(riff(fmt(), chunk('data', Buffer.alloc(0), 960_000)), 'promises 960000 bytes of sound and holds 0: cut off')
  // Full size, a data size of 44, then zeros.
  check(riff(fmt(), chunk('data', long, 44)), 'says that its sound is 44 bytes, but 3956 bytes follow')
  // A data size of 0, or the stream's 0xffffffff, with valid samples.
  check(riff(fmt(), chunk('data', SOUND, 0)), SAMPLES)
  check(riff(fmt(), chunk('data', SOUND, 0xffffffff)), SAMPLES)
  check(riff(fmt(), chunk('data', Buffer.alloc(0)), COMMENT), 'has no samples')
  // The size counts the header, with or without its first 8 bytes.
  check(riff(fmt(), chunk('data', SOUND, SOUND.length + 44)), SAMPLES)
  check(riff(fmt(), chunk('data', SOUND, SOUND.length + 36)), SAMPLES)
  check(riff(fmt(), COMMENT, chunk('data', SOUND, SOUND.length + 44 + COMMENT.length)), SAMPLES)
  // Anything else that promises more is cut.
  check(riff(fmt(), chunk('data', SOUND, SOUND.length + 2)), 'promises 10 bytes of sound and holds 8: cut off')
  check(riff(fmt(), chunk('data', SOUND, SOUND.length + 35)), 'cut off')
})

test('what is no sound says so', () => {
  const data = chunk('data', SOUND)
  const check = (file: Uint8Array, expected: string) => expect(decoded(file)).toMatch(expected)
  check(Buffer.alloc(0), 'is no RIFF WAVE file')
  check(Buffer.from('fLaC\0\0\0\x22 and so on'), 'is no RIFF WAVE file')
  check(riff(), 'has no format chunk')
  check(riff(data), 'has no format chunk')
  check(riff(fmt()), 'has no data chunk')
  check(riff(chunk('fmt ', Buffer.alloc(14)), data), 'has a cut format chunk')
  check(riff(chunk('fmt ', formatBody(PCM16).subarray(0, 10), 16)), 'has a cut format chunk')
  check(riff(fmt({ ...PCM16, extensible: true }).subarray(0, 24)), 'has a cut format chunk')
  check(riff(fmt({ code: 2, bits: 4 }), data), 'has format 2 with 4 bits')
  check(riff(fmt({ code: 7, bits: 8 }), data), 'has format 7 with 8 bits')
  check(riff(fmt({ code: 1, bits: 12 }), data), 'has format 1 with 12 bits')
  check(riff(fmt({ ...PCM16, channels: 0 }), data), 'has 0 channels')
  check(riff(fmt({ ...PCM16, rateHz: 0 }), data), 'has a sample rate of 0 Hz')
})

test('a file cut anywhere is refused, but where the cut looks like a header counted as sound', () => {
  const head = riff(fmt(), COMMENT).length + 8
  const file = riff(fmt(), COMMENT, chunk('data', encode(PCM16, Array(500).fill(0.1))))
  const readable = Array.from({ length: file.length + 1 }, (_, length) => length).filter(
    (length) => typeof decoded(file.subarray(0, length)) !== 'string',
  )
  expect(readable).toEqual([file.length - head, file.length - head + 8, file.length])
})
