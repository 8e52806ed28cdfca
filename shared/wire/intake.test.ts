import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { envelope, exampleReading, labelMessage, readingRow, reportRow } from '#test/support/station-rows.ts'
import { parseIntake } from './intake.ts'
import { fromWireReading, toWireReading } from './reading-codec.ts'

const UP = 'us/up/n1/e1/data'
const reasonOf = (topic: string, payload: Uint8Array) => {
  const intake = parseIntake(topic, payload)
  return intake?.kind === 'bad' ? intake.fault.reason : (intake?.kind ?? null)
}

test('each wrong message has its reason', () => {
  const check = (topic: string, payload: Uint8Array | string, expected: string | null) =>
    expect(reasonOf(topic, Buffer.from(payload)), `${topic} ${payload}`).toBe(expected)
  check(UP, envelope([reportRow(1)]), 'rows')
  check('us/up/n1/blob', envelope([reportRow(1)]), null)
  check('us/ds/all/valley', '{}', null)
  check('us/up/N 1/e1/data', envelope([reportRow(1)]), 'bad-topic')
  check('us/up/n1/e1/media', envelope([reportRow(1)]), 'unknown-lane')
  check(UP, '{"schema":"envelope/1","rows":[', 'malformed-json')
  check(UP, Buffer.from([0xff, 0xfe]), 'malformed-json')
  check(UP, envelope([]), 'wrong-schema')
  check(UP, envelope([{ seq: 0, body: {} }]), 'wrong-schema')
  check(UP, envelope([{ seq: 1.5, body: {} }]), 'wrong-schema')
  check(UP, '{"schema":"envelope/2","rows":[{"seq":1}]}', 'wrong-schema')
  check('us/labels/survey', labelMessage('l1', 'd1/0', ['a'], ['b']), 'label')
  check('us/labels/survey', labelMessage('l1', 'd1/0', ['a'], ['a']), 'contradictory-label')
  check('us/labels/survey', labelMessage('', 'd1/0'), 'wrong-schema')
  check('us/labels/Survey!', labelMessage('l1', 'd1/0'), 'bad-topic')
})

test('a wrong row keeps its number and does not spoil its neighbours', () => {
  const image = { kind: 'image', width: 2, height: 2, channels: 3, pixels: 'AAAA' }
  const wrong = { seq: 3, body: { ...readingRow(3).body, content: image } }
  const intake = parseIntake(UP, envelope([readingRow(1), { seq: 2, body: { kind: 'sonar' } }, wrong, reportRow(4)]))
  if (intake?.kind !== 'rows') throw new Error('rows expected')
  expect(intake.rows.map((row) => [row.seq, row.ok ? row.body.kind : row.fault.reason])).toEqual([
    [1, 'reading'],
    [2, 'wrong-row'],
    [3, 'contradictory-content'],
    [4, 'report'],
  ])
  const [, second] = intake.rows
  if (second?.ok !== false) throw new Error('a fault expected')
  expect(JSON.parse(Buffer.from(second.fault.payload).toString())).toEqual({ seq: 2, body: { kind: 'sonar' } })
})

test('sizes that no sensor has are refused, though they fit their bytes', () => {
  const check = (content: object, expected: string | null) => {
    const intake = parseIntake(UP, envelope([{ seq: 1, body: { ...readingRow(1).body, content } }]))
    const row = intake?.kind === 'rows' ? intake.rows[0] : null
    expect(row?.ok ? null : row?.fault.reason, JSON.stringify(content)).toBe(expected)
  }
  const image = { kind: 'image', width: 1, height: 1, channels: 3, pixels: 'AAAA' }
  check(image, null)
  check({ ...image, width: -1, height: -1 }, 'wrong-row')
  const audio = { kind: 'audio', frontEnd: { ...frontEnd, bands: 3 }, frames: 1, levels: 'AAAA' }
  check(audio, null)
  check({ ...audio, frontEnd: { ...frontEnd, bands: -3 }, frames: -1 }, 'wrong-row')
  check({ ...audio, frontEnd: { ...frontEnd, bands: 3, sampleRateHz: 0 } }, 'wrong-row')
  check({ kind: 'series', stepMs: 0, variables: { t: [1] } }, 'wrong-row')
  check({ kind: 'embedding', encoder: 'e', vector: [] }, 'wrong-row')
})

const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0))
// Names of variables are words; "__proto__" as a key is not kept by a plain object.
const name = fc.stringMatching(/^[a-zA-Z]{1,12}$/)
const frontEnd = { sampleRateHz: 48000, fftSize: 1024, hopSize: 480, bands: 4, lowHz: 50, highHz: 20000 }
const content: fc.Arbitrary<ReadingContent> = fc.oneof(
  fc.record({ kind: fc.constant('scalars' as const), values: fc.dictionary(name, value, { noNullPrototype: true }) }),
  fc.record({
    kind: fc.constant('series' as const),
    stepMs: fc.integer({ min: 1 }),
    variables: fc.dictionary(name, fc.array(value), { noNullPrototype: true }),
  }),
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 3))
    .chain(([width, height, channels]) =>
      fc
        .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
        .map((pixels) => ({ kind: 'image' as const, width, height, channels, pixels })),
    ),
  fc
    .integer({ min: 1, max: 6 })
    .chain((frames) =>
      fc
        .uint8Array({ minLength: frames * 4, maxLength: frames * 4 })
        .map((levels) => ({ kind: 'audio' as const, frontEnd, frames, levels })),
    ),
)

test('a reading comes out of the wire as it went in', () => {
  fc.assert(
    fc.property(content, (it) => {
      const reading = exampleReading({ content: it })
      const wire = JSON.parse(JSON.stringify(toWireReading(reading)))
      // JSON has no negative zero.
      const back = fromWireReading('n1', wire)
      expect(back.ok && JSON.parse(JSON.stringify(back.value))).toEqual(JSON.parse(JSON.stringify(reading)))
      if (back.ok && back.value.content.kind === 'image') expect(back.value.content.pixels).toBeInstanceOf(Uint8Array)
    }),
  )
})

test('no payload makes the parser throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(['bad', 'rows']).toContain(parseIntake(UP, bytes)?.kind)
    }),
  )
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseIntake('us/labels/a', Buffer.from(text))?.kind).toBe('bad')
    }),
  )
})
