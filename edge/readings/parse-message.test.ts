import { createHash } from 'node:crypto'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { DeploymentId, NodeId, SensorId } from '#shared/domain/ids.ts'
import { DEFAULT_FRONT_END } from '#shared/tokens/log-mel.ts'
import { encodeWav } from '#test/simulator/sound.ts'
import {
  createReadingParser,
  DEFAULT_MAX_PAYLOAD_BYTES,
  MAX_KEPT_BYTES,
  type ReadingParserOptions,
  type SensorProfile,
} from './parse-message.ts'

const NOW_MS = Date.parse('2026-05-14T12:00:00Z')

const profile = (id: string, changes: Partial<SensorProfile> = {}): SensorProfile => ({
  id: id as SensorId,
  modality: 'weather',
  deployment: 'ridge-2026' as DeploymentId,
  ...changes,
})

const parserWith = (changes: Partial<ReadingParserOptions> = {}) =>
  createReadingParser({
    node: 'ridge' as NodeId,
    sensors: new Map([
      ['wx', profile('wx')],
      ['depth', profile('depth', { ranges: { waterM: [0, 4], airTemperatureC: [-40, 45] } })],
      ['eye', profile('eye', { modality: 'camera', image: { width: 8, height: 4, channels: 1 } })],
      ['ear', profile('ear', { modality: 'audio', frontEnd: { ...DEFAULT_FRONT_END, bands: 8 } })],
    ]),
    clock: { nowMs: () => NOW_MS, monotonicMs: () => 0 },
    ...changes,
  })

const topicOf = (sensor: string) => `understory/valley/ridge/${sensor}/obs`
const valid = {
  schema: 'reading/1',
  id: 'r-1',
  observed_at: '2026-05-14T11:30:00+02:00',
  values: { airTemperatureC: 7.5 },
}
const media = (type: string, file: Uint8Array) => ({
  ...valid,
  values: undefined,
  media: { type, data: Buffer.from(file).toString('base64') },
})

type Message = Record<string, unknown> | string | Uint8Array
const bytesOf = (message: Message): Uint8Array =>
  message instanceof Uint8Array ? message : Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))

const readingOf = async (message: Message, sensor = 'wx', changes: Partial<ReadingParserOptions> = {}) => {
  const parsed = await parserWith(changes)(topicOf(sensor), bytesOf(message))
  if (!parsed.ok) throw new Error(`${parsed.error.reason}: ${parsed.error.detail}`)
  return parsed.value
}

/** "reason: detail", or the kind of content when it was a reading. */
const outcome = async (message: Message, topic = topicOf('wx'), changes: Partial<ReadingParserOptions> = {}) => {
  const parsed = await parserWith(changes)(topic, bytesOf(message))
  return parsed.ok ? parsed.value.reading.content.kind : `${parsed.error.reason}: ${parsed.error.detail}`
}

test('a reading has its message, its place and its content', async () => {
  const clock = { source: 'gps', err_s: 0.1, synced_at: '2026-05-14T11:00:00+02:00' }
  const { reading, media: file } = await readingOf({ ...valid, clock, unknownField: [1] })
  expect(file).toBeNull()
  expect(reading).toEqual({
    id: 'r-1',
    node: 'ridge',
    sensor: 'wx',
    deployment: 'ridge-2026',
    modality: 'weather',
    observedAtMs: Date.parse('2026-05-14T09:30:00Z'),
    observedAtText: '2026-05-14T11:30:00+02:00',
    clock: { source: 'gps', errorSeconds: 0.1, syncedAt: '2026-05-14T11:00:00+02:00' },
    content: { kind: 'scalars', values: { airTemperatureC: 7.5 } },
    media: null,
  })
  const said = await readingOf({ ...valid, modality: 'soil', deployment: 'ridge-2027' })
  expect([said.reading.modality, said.reading.deployment]).toEqual(['soil', 'ridge-2027'])
})

test('an unknown time stays unknown', async () => {
  const { reading } = await readingOf({ ...valid, observed_at: null })
  expect([reading.observedAtMs, reading.observedAtText, reading.clock]).toEqual([null, null, { source: 'none' }])
})

test('present, null and absent stay apart', async () => {
  const { reading } = await readingOf({ ...valid, values: { airTemperatureC: null, rainMm: 0 } })
  expect(reading.content).toEqual({ kind: 'scalars', values: { airTemperatureC: null, rainMm: 0 } })
})

test('each kind of content in its canonical form', async () => {
  const check = async (content: Record<string, unknown>, expected: unknown) =>
    expect((await readingOf({ ...valid, values: undefined, ...content })).reading.content).toEqual(expected)
  const variables = { rainMm: [0, null, 1.5], airTemperatureC: [3] }
  await check({ series: { step_s: 3600, variables } }, { kind: 'series', stepMs: 3_600_000, variables })
  await check({ series: { step_s: 1.1, variables } }, { kind: 'series', stepMs: 1100, variables })
  const place = { latitude: 46.5, longitude: -7.25 }
  await check({ location: place }, { kind: 'location', ...place, elevationM: null })
  await check({ location: { ...place, elevation_m: 1830 } }, { kind: 'location', ...place, elevationM: 1830 })
  const embedding = { encoder: 'birdnet-2.4', vector: [0.5, -1] }
  await check({ embedding }, { kind: 'embedding', ...embedding })
  const image = { width: 2, height: 1, channels: 2, data: Buffer.from([1, 2, 3, 4]).toString('base64') }
  await check({ image }, { kind: 'image', width: 2, height: 1, channels: 2, pixels: Uint8Array.of(1, 2, 3, 4) })
})

test('a picture is decoded to the size of its sensor, and its file kept', async () => {
  const file = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#808080' } })
    .jpeg()
    .toBuffer()
  const eye = await readingOf(media('image/jpeg', file), 'eye')
  expect(eye.reading.content).toMatchObject({ kind: 'image', width: 8, height: 4, channels: 1 })
  expect(eye.reading.media).toEqual({
    sha256: createHash('sha256').update(file).digest('hex'),
    mediaType: 'image/jpeg',
  })
  expect(Buffer.from(eye.media!)).toEqual(file)
  const other = await readingOf(media('image/jpg', file))
  expect(other.reading.content).toMatchObject({ width: 64, height: 48, channels: 3 })
})

test('a sound is brought to the rate of its front end, and its file kept', async () => {
  const tone = Float64Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 1000 * i) / 16000))
  const file = Buffer.from(encodeWav(tone))
  const slow = Buffer.from(file)
  slow.writeUInt32LE(8000, 24)
  for (const [wav, seconds, hz] of [
    [file, 1, 1000],
    [slow, 2, 500],
  ] as const) {
    const { reading, media: kept } = await readingOf(media('audio/x-wav', wav), 'ear')
    const { content } = reading
    if (content.kind !== 'audio') throw new Error('audio expected')
    expect(content.frontEnd).toEqual({ ...DEFAULT_FRONT_END, bands: 8 })
    expect(content.frames).toBe(Math.floor((16000 * seconds - 512) / 256) + 1)
    expect(content.levels).toHaveLength(content.frames * 8)
    // The loudest of 8 bands between 150 and 7500 Hz, by the mel scale.
    const middle = content.levels.subarray(20 * 8, 21 * 8)
    const mel = (value: number) => 2595 * Math.log10(1 + value / 700)
    const place = ((mel(hz) - mel(150)) / (mel(7500) - mel(150))) * 9 - 1
    expect(Math.abs(middle.indexOf(Math.max(...middle)) - place)).toBeLessThanOrEqual(0.5)
    expect(reading.media?.mediaType).toBe('audio/wav')
    expect(Buffer.from(kept!)).toEqual(wav)
  }
})

test('what is no reading has its reason, and the field', async () => {
  const check = async (message: Message, expected: string, sensor = 'wx') =>
    expect(await outcome(message, topicOf(sensor)), JSON.stringify(message)).toBe(expected)
  const text = JSON.stringify(valid)
  await check('', 'malformed-json: payload: 0 bytes that are no JSON')
  await check(text.slice(0, -1), `malformed-json: payload: ${text.length - 1} bytes that are no JSON`)
  await check(`${text}${text}`, `malformed-json: payload: ${2 * text.length} bytes that are no JSON`)
  await check(Uint8Array.of(0x22, 0xff, 0x22), 'malformed-json: payload: is not UTF-8')
  await check(`\ufeff${text}`, 'scalars')
  await check('null', 'wrong-schema: payload: Invalid input: expected object, received null')
  await check({ ...valid, schema: 'reading/0' }, 'wrong-schema: schema: Invalid input: expected "reading/1"')
  await check({ ...valid, id: 'a\u0000b' }, 'wrong-schema: id: has control characters')
  await check(`${text.slice(0, -1)},"id":"\\ud800"}`, 'wrong-schema: id: has control characters')
  await check(
    { ...valid, deployment: 'a b' },
    'wrong-schema: deployment: has other characters than letters, digits and _ . : @ -',
  )
  await check(
    { ...valid, observed_at: 1789 },
    'wrong-schema: observed_at: Invalid input: expected string, received number',
  )
  await check(
    { ...valid, observed_at: '2026-05-14T11:30:00' },
    'wrong-schema: observed_at: "2026-05-14T11:30:00" is no ISO 8601 time with an offset',
  )
  await check({ ...valid, values: {} }, 'wrong-schema: values: is empty')
  await check(
    { ...valid, values: undefined },
    'wrong-schema: payload: must have one of values, series, location, embedding, image, media; has none',
  )
  await check(
    { ...valid, location: { latitude: 1, longitude: 1 } },
    'wrong-schema: payload: must have one of values, series, location, embedding, image, media; has values and location',
  )
  const series = (step_s: number, variables: unknown) => ({
    ...valid,
    values: undefined,
    series: { step_s, variables },
  })
  await check(series(1, { a: [], b: [] }), 'wrong-schema: series.variables: has no step')
  await check(series(1e300, { a: [1] }), 'impossible-value: series.step_s: 1e+300 is outside 0.001 … 31622400')
  await check(
    series(60, { airTemperatureC: [1, -127] }),
    'impossible-value: series.variables.airTemperatureC[1]: -127 is outside -90 … 60',
  )
  await check(
    { ...valid, values: { relativeHumidity: 65535 } },
    'impossible-value: values.relativeHumidity: 65535 is outside 0 … 100',
  )
  await check({ ...valid, values: { anything: -999 } }, 'scalars')
  await check({ ...valid, values: { waterM: 4.5 } }, 'impossible-value: values.waterM: 4.5 is outside 0 … 4', 'depth')
  await check({ ...valid, values: { airTemperatureC: 50 } }, 'scalars')
  await check(
    { ...valid, values: { airTemperatureC: 50 } },
    'impossible-value: values.airTemperatureC: 50 is outside -40 … 45',
    'depth',
  )
  await check(
    { ...valid, observed_at: '1970-01-01T00:00:12Z' },
    'clock-reset: observed_at: "1970-01-01T00:00:12Z" is the date of a reset clock',
  )
  const image = { width: 2, height: 2, channels: 3, data: 'AAAA' }
  await check({ ...valid, values: undefined, image }, 'bad-media: image.data: 3 bytes are not 2 × 2 × 3')
  await check(
    media('audio/flac', Buffer.from('fLaC')),
    'bad-media: media.data: "audio/flac" is not read here, but audio/wav, image/jpeg and image/png',
  )
  await check(media('audio/wav', Buffer.from('fLaC')), 'bad-media: media.data: is no RIFF WAVE file')
  await check(media('image/png', new Uint8Array(0)), 'bad-media: media.data: is no image/png file')
  const short = encodeWav(new Float64Array(100))
  await check(media('audio/wav', short), 'bad-media: media.data: lasts 0.00625 s, too short for one frame')
  const endless = Buffer.from(encodeWav(new Float64Array(310_000)))
  endless.writeUInt32LE(1000, 24)
  await check(
    media('audio/wav', endless),
    'bad-media: media.data: lasts 310 s, more than the 300 that are read at 16000 Hz',
  )
})

test('no number, in all spellings', async () => {
  const check = async (text: string, expected: string) => expect(await outcome(text), text).toBe(expected)
  const head = '{"schema":"reading/1","id":"r","observed_at":null'
  for (const token of ['NaN', 'nan', '-nan', 'nan(ind)', 'Infinity', '-inf', '1.#QNAN', '-1.#IND00'])
    await check(`${head},"values":{"a":1,"b": ${token} }}`, `not-a-number: b: ${token} is no number`)
  await check(`${head},"series":{"step_s":1,"variables":{"b":[1,NaN]}}}`, 'not-a-number: b: NaN is no number')
  await check(`${head},"values":{"b":1e999}}`, 'not-a-number: values.b: Infinity is no number')
  await check(`${head},"values":{"b":"NaN"}}`, 'not-a-number: values.b: NaN is no number')
  await check(
    `${head},"values":{"b":"seven"}}`,
    'wrong-schema: values.b: Invalid input: expected number, received string',
  )
  // Other damage beside it, or a word in a text, is not about numbers.
  await check(`${head},"values":{"b":NaN}`, 'malformed-json: payload: 68 bytes that are no JSON')
  await check(`${head},"values":{"b":NaNny}}`, 'malformed-json: payload: 71 bytes that are no JSON')
  await check(`${head},"note":"NaN, \\"inf","values":{"b":1}}`, 'scalars')
})

test('only the sensors of the station, unless it takes others that say what they are', async () => {
  const check = async (topic: string, message: Message, accept: boolean, expected: string) =>
    expect(await outcome(message, topic, { acceptUnknownSensors: accept })).toBe(expected)
  const complete = { ...valid, modality: 'soil', deployment: 'd' }
  await check(topicOf('new'), complete, false, 'unknown-device: topic: "new" is no sensor of this station')
  await check(topicOf('new'), complete, true, 'scalars')
  for (const message of [valid, { ...valid, modality: 'soil' }, { ...valid, deployment: 'd' }])
    await check(
      topicOf('new'),
      message,
      true,
      'unknown-device: topic: "new" is not configured and doesn\'t say its modality and deployment',
    )
  for (const topic of ['understory/valley/ridge/obs', 'understory/valley/ridge/wx/status', topicOf('No Level'), ''])
    await check(topic, complete, true, 'unknown-device: topic: names no sensor')
  expect((await readingOf(complete, 'new', { acceptUnknownSensors: true })).reading.sensor).toBe('new')
})

test('a message under a name that the station no longer has is none of its readings', async () => {
  const topicBase = 'understory/valley/ridge/'
  expect(await outcome(valid, topicOf('wx'), { topicBase })).toBe('scalars')
  expect(await outcome(valid, 'understory/old/ridge/wx/obs', { topicBase })).toBe(
    'unknown-device: topic: is not below understory/valley/ridge/',
  )
})

test('what is rejected is kept, cut to a stated length', async () => {
  const padded = JSON.stringify({ ...valid, note: 'x'.repeat(200_000) })
  const small = await parserWith({ maxPayloadBytes: 100_000 })(topicOf('wx'), Buffer.from(padded))
  if (small.ok) throw new Error('a rejection expected')
  expect(small.error).toMatchObject({ reason: 'oversized', topic: topicOf('wx'), receivedAtMs: NOW_MS })
  expect(small.error.detail).toBe(`payload: ${padded.length} bytes, more than 100000`)
  expect(Buffer.from(small.error.payload).toString()).toBe(padded.slice(0, MAX_KEPT_BYTES))
  expect(await outcome(padded)).toBe('scalars')
  expect(await outcome('x'.repeat(DEFAULT_MAX_PAYLOAD_BYTES + 1))).toMatch(/^oversized/)
  expect(await outcome('x'.repeat(DEFAULT_MAX_PAYLOAD_BYTES))).toMatch(/^malformed-json/)
})

test('the kept bytes are a copy of their own', async () => {
  const buffer = Buffer.from('{"broken')
  const parsed = await parserWith()(topicOf('wx'), buffer)
  buffer.fill(0)
  expect(!parsed.ok && Buffer.from(parsed.error.payload).toString()).toBe('{"broken')
})

test('a large payload full of nesting, quotes or base64 is judged, not choked on', async () => {
  const million = DEFAULT_MAX_PAYLOAD_BYTES - 200
  const head = '{"schema":"reading/1","id":"r","observed_at":null,"values":'
  expect(await outcome('['.repeat(million))).toMatch(/^malformed-json/)
  expect(await outcome(`${'['.repeat(million / 2)}${']'.repeat(million / 2)}`)).toMatch(/^wrong-schema/)
  expect(await outcome(`${head}${'{"a":'.repeat(100_000)}NaN${'}'.repeat(100_001)}`)).toMatch(/^not-a-number/)
  expect(await outcome('"\\'.repeat(million / 2))).toMatch(/^malformed-json/)
  expect(await outcome('nan '.repeat(million / 4))).toMatch(/^malformed-json/)
  expect(await outcome(media('image/jpeg', Buffer.alloc(700_000)))).toBe('bad-media: media.data: is no image/jpeg file')
  const notBase64 = {
    ...media('image/jpeg', Buffer.alloc(0)),
    media: { type: 'image/jpeg', data: '*'.repeat(million) },
  }
  expect(await outcome(notBase64)).toMatch(/^wrong-schema: media.data/)
})

test('a front end that cannot work fails at start', () => {
  const frontEnd = { ...DEFAULT_FRONT_END, highHz: 9000 }
  expect(() => parserWith({ sensors: new Map([['ear', profile('ear', { frontEnd })]]) })).toThrow(/half the rate/)
})
