/** Thousands of damaged messages: none throws, and what still is a reading is finite and possible. */
import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { DeploymentId, NodeId, SensorId } from '#shared/domain/ids.ts'
import type { ReadingContent, RejectReason } from '#shared/domain/reading.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import { encodeWav } from '#test/simulator/sound.ts'
import { createReadingParser } from './parse-message.ts'

const SEED = 20_261
const COUNT = 20_000
const AT_ONCE = 50

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const head = (id: string) => ({
  schema: 'reading/1',
  id,
  modality: 'm',
  deployment: 'd',
  observed_at: '2026-05-14T11:30:00+02:00',
  clock: { source: 'ntp', err_s: 0.5 },
})

const examples = async (): Promise<readonly Record<string, unknown>[]> => {
  const random = randomStream(SEED, 'sound')
  const wav = encodeWav(Float64Array.from({ length: 1200 }, () => random.uniform() - 0.5))
  const jpeg = await sharp(Buffer.from(Array.from({ length: 24 * 18 * 3 }, () => random.index(256))), {
    raw: { width: 24, height: 18, channels: 3 },
  })
    .jpeg()
    .toBuffer()
  return [
    { ...head('a'), values: { airTemperatureC: 7.5, relativeHumidity: 80, windSpeedMs: null, unheardOf: 3 } },
    { ...head('b'), series: { step_s: 60, variables: { airTemperatureC: [1, null, 2], rainMm: [0, 0, 1] } } },
    { ...head('c'), location: { latitude: 46.5, longitude: 7.25, elevation_m: 1200 } },
    { ...head('d'), embedding: { encoder: 'e', vector: [0.25, -1, 3] } },
    {
      ...head('e'),
      image: { width: 2, height: 2, channels: 3, data: base64(Uint8Array.from({ length: 12 }, (_, i) => i)) },
    },
    { ...head('f'), media: { type: 'audio/wav', data: base64(wav) } },
    { ...head('g'), media: { type: 'image/jpeg', data: base64(jpeg) } },
  ]
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random.index(items.length)]!

const flipBytes = (bytes: Uint8Array, random: Random): Uint8Array => {
  const changed = Uint8Array.from(bytes)
  for (let n = 1 + random.index(4); n > 0; n--) changed[random.index(changed.length)] = random.index(256)
  return changed
}

const SPLINTERS = [
  'NaN',
  '-Infinity',
  '1e999',
  '-1e308',
  'null',
  '""',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\u0000',
  '\ud800',
  '1e-999',
  '__proto__',
  '0',
]

const insert = (bytes: Uint8Array, random: Random): Uint8Array => {
  const at = random.index(bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, SPLINTERS)), bytes.subarray(at)])
}
const cut = (bytes: Uint8Array, random: Random): Uint8Array => bytes.subarray(0, random.index(bytes.length + 1))
/** The message stays JSON, mostly. */
const changeDigit = (bytes: Uint8Array, random: Random): Uint8Array => {
  const digits = [...bytes.keys()].filter((at) => bytes[at]! >= 48 && bytes[at]! <= 57)
  const changed = Uint8Array.from(bytes)
  changed[pick(random, digits)] = 48 + random.index(10)
  return changed
}
/** A failed conversion in place of a number. */
const loseNumber = (bytes: Uint8Array, random: Random): Uint8Array => {
  const text = Buffer.from(bytes).toString()
  const numbers = [...text.matchAll(/(?<=[:,[])-?\d[\d.]*(?=[,\]}])/g)]
  const { index, 0: number } = pick(random, numbers)
  return Buffer.from(text.slice(0, index) + pick(random, SPLINTERS) + text.slice(index + number.length))
}
const skip = (bytes: Uint8Array, random: Random): Uint8Array => {
  const at = random.index(bytes.length)
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.index(8))])
}

const VALUES: readonly unknown[] = [
  null,
  'NaN',
  '',
  [],
  {},
  -1,
  0,
  1e308,
  -999,
  65535,
  2.5,
  true,
  [[1]],
  { a: { b: 1 } },
  'x'.repeat(300),
]
const KEYS = [
  'values',
  'series',
  'media',
  'image',
  'location',
  'id',
  'modality',
  '__proto__',
  'constructor',
  'observed_at',
]

const SIMILAR: readonly unknown[] = [
  -999,
  1e308,
  65535,
  -0.5,
  400,
  '1970-01-01T00:00:01Z',
  '2099-05-14T11:30:00Z',
  '2026-05-14',
  'NaN',
]

/** Another value, a missing key or an added one, anywhere in the tree. */
const mutateTree = (value: unknown, random: Random): unknown => {
  if (typeof value !== 'object' || value === null) {
    const alike = SIMILAR.filter((other) => typeof other === typeof value)
    return pick(random, alike.length > 0 && random.uniform() < 0.7 ? alike : VALUES)
  }
  const entries = Object.entries(value)
  const roll = random.uniform()
  if (entries.length === 0 || roll < 0.1) return pick(random, VALUES)
  if (Array.isArray(value)) return value.map((item, i) => (i === 0 ? mutateTree(item, random) : item))
  const key = pick(random, entries)[0]
  if (roll < 0.25) return Object.fromEntries(entries.filter(([name]) => name !== key))
  if (roll < 0.35) return { ...value, [pick(random, KEYS)]: pick(random, VALUES) }
  return Object.fromEntries(entries.map(([name, item]) => [name, name === key ? mutateTree(item, random) : item]))
}

/** Damage inside the file, which arrives as good base64. */
const mutateFile = (message: Record<string, unknown>, random: Random): Uint8Array => {
  const { media } = message
  const text = typeof media === 'object' && media !== null && 'data' in media ? String(media.data) : ''
  if (text === '') return Buffer.from(JSON.stringify(mutateTree(message, random)))
  const file = Buffer.from(text, 'base64')
  const isHead = random.uniform() < 0.5
  const damaged = isHead
    ? Buffer.concat([flipBytes(file.subarray(0, 64), random), file.subarray(64)])
    : pick(random, [flipBytes, cut, skip])(file, random)
  return Buffer.from(JSON.stringify({ ...message, media: { ...(media as object), data: base64(damaged) } }))
}

const mutate = (message: Record<string, unknown>, random: Random): Uint8Array => {
  const text = Buffer.from(JSON.stringify(message))
  const roll = random.uniform()
  if (roll < 0.3) return mutateFile(message, random)
  if (roll < 0.6) return Buffer.from(JSON.stringify(mutateTree(message, random)))
  return pick(random, [flipBytes, insert, cut, skip, changeDigit, loseNumber])(text, random)
}

const isNumberOrNull = (value: number | null): boolean => value === null || Number.isFinite(value)

const isSound = (content: ReadingContent): boolean => {
  switch (content.kind) {
    case 'scalars': {
      const { airTemperatureC = null, relativeHumidity = null } = content.values
      const isPossible =
        Math.abs(airTemperatureC ?? 0) <= 90 && (relativeHumidity ?? 0) >= 0 && (relativeHumidity ?? 0) <= 100
      return isPossible && Object.values(content.values).every(isNumberOrNull)
    }
    case 'series': {
      const steps = Object.values(content.variables).flat()
      return content.stepMs > 0 && isNumberOrNull(content.stepMs) && steps.length > 0 && steps.every(isNumberOrNull)
    }
    case 'location':
      return (
        Math.abs(content.latitude) <= 90 && Math.abs(content.longitude) <= 180 && isNumberOrNull(content.elevationM)
      )
    case 'embedding':
      return content.vector.length > 0 && content.vector.every(isNumberOrNull)
    case 'image':
      return content.pixels.length > 0 && content.pixels.length === content.width * content.height * content.channels
    case 'audio':
      return content.frames > 0 && content.levels.length === content.frames * content.frontEnd.bands
  }
}

test(`${COUNT} damaged messages are readings that hold, or rejections with a reason`, async () => {
  const messages = await examples()
  const parse = createReadingParser({
    node: 'n' as NodeId,
    sensors: new Map([['s', { id: 's' as SensorId, modality: 'm', deployment: 'd' as DeploymentId }]]),
    clock: { nowMs: () => Date.parse('2026-05-14T12:00:00Z'), monotonicMs: () => 0 },
  })
  const counts = new Map<string, number>()
  const judge = async (i: number): Promise<void> => {
    const random = randomStream(SEED, `message/${i}`)
    const payload = mutate(messages[i % messages.length]!, random)
    const shown = () => `message ${i} of seed ${SEED}: ${Buffer.from(payload).toString('latin1').slice(0, 400)}`
    const parsed = await parse('u/v/n/s/obs', payload)
    const key = parsed.ok ? parsed.value.reading.content.kind : parsed.error.reason
    counts.set(key, (counts.get(key) ?? 0) + 1)
    if (!parsed.ok) return expect(parsed.error.detail, shown()).toMatch(/^\S.*: \S/)
    const { reading } = parsed.value
    expect(isSound(reading.content), shown()).toBe(true)
    expect(isNumberOrNull(reading.observedAtMs), shown()).toBe(true)
    expect(
      [reading.id, reading.modality, reading.deployment].every((text) => text.length > 0),
      shown(),
    ).toBe(true)
  }
  for (let i = 0; i < COUNT; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => judge(i + k)))
  }
  // The damage reaches every gate behind the topic and the size, and enough gets through each kind of content.
  const reasons: readonly RejectReason[] = [
    'malformed-json',
    'wrong-schema',
    'not-a-number',
    'impossible-value',
    'bad-media',
    'clock-reset',
  ]
  for (const key of [...reasons, 'scalars', 'series', 'location', 'embedding', 'image', 'audio'])
    expect(counts.get(key) ?? 0, `${key} of ${JSON.stringify([...counts])}`).toBeGreaterThan(20)
})
