import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReadingParser } from '#edge/readings/parse-message.ts'
import type { NodeId } from '#shared/domain/ids.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { sensorMessageSchema } from './sensor-message.ts'
import { type SendableContent, toSensorMessage } from './to-sensor-message.ts'

const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0)
const valueOrNull = fc.option(value)
const name = fc.stringMatching(/^[a-z]{1,8}_x$/)
const named = <T>(it: fc.Arbitrary<T>) => fc.dictionary(name, it, { minKeys: 1, maxKeys: 5, noNullPrototype: true })
const pixels = (width: number, height: number, channels: number) =>
  fc
    .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
    .map((data) => ({ kind: 'image' as const, width, height, channels, pixels: data }))

const contentArbitrary: fc.Arbitrary<SendableContent> = fc.oneof(
  fc.record({ kind: fc.constant('scalars' as const), values: named(valueOrNull) }),
  fc.record({
    kind: fc.constant('series' as const),
    stepMs: fc.integer({ min: 1, max: 31_000_000_000 }),
    variables: named(fc.array(valueOrNull, { minLength: 1, maxLength: 9 })),
  }),
  fc.record({
    kind: fc.constant('location' as const),
    latitude: fc.double({ min: -90, max: 90, noNaN: true }).map((x) => x + 0),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }).map((x) => x + 0),
    elevationM: fc.option(fc.integer({ min: -400, max: 8800 })),
  }),
  fc.record({
    kind: fc.constant('embedding' as const),
    encoder: fc.constantFrom('birdnet', 'dino-v2'),
    vector: fc.array(value, { minLength: 1, maxLength: 9 }),
  }),
  fc.tuple(fc.nat(5), fc.nat(5), fc.constantFrom(1, 3, 4)).chain(([w, h, c]) => pixels(w + 1, h + 1, c)),
)

const head = { id: 'r1', modality: 'm', deployment: 'site-1' }

test('every content makes a message that fits the schema, and is the same when a station has read it', async () => {
  const parse = createReadingParser({
    node: 'n1' as NodeId,
    sensors: new Map(),
    acceptUnknownSensors: true,
    clock: systemClock,
  })
  await fc.assert(
    fc.asyncProperty(
      contentArbitrary,
      fc.option(fc.integer({ min: 1e12, max: 1.7e12 })),
      async (content, observedAtMs) => {
        const message = toSensorMessage({ ...head, observedAtMs }, content)
        expect(sensorMessageSchema.parse(message)).toEqual(message)
        const parsed = await parse('us/valley/n1/s1/obs', Buffer.from(JSON.stringify(message)))
        if (!parsed.ok) throw new Error(parsed.error.detail)
        expect(parsed.value.reading).toMatchObject({ ...head, observedAtMs, sensor: 's1', clock: { source: 'none' } })
        expect(parsed.value.reading.content).toEqual(content)
      },
    ),
  )
})

test('time and clock are those of the head', () => {
  const content = { kind: 'scalars', values: { a: 1 } } as const
  expect(toSensorMessage({ ...head, observedAtMs: 0, clock: { source: 'gps', err_s: 0.1 } }, content)).toEqual({
    schema: 'reading/1',
    ...head,
    observed_at: '1970-01-01T00:00:00.000Z',
    clock: { source: 'gps', err_s: 0.1 },
    values: { a: 1 },
  })
  expect(toSensorMessage({ ...head, observedAtMs: null }, content)).not.toHaveProperty('clock')
})
