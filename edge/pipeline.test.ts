import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeploymentId, ModelVersion, ReadingId, SensorId } from '#shared/domain/ids.ts'
import type { Reading, Rejected } from '#shared/domain/reading.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { exampleReading, HOUR_MS } from '#test/support/station-rows.ts'
import { countObservations } from './observing/observations.ts'
import { OBSERVING_SCHEMA_SQL } from './observing/schema.ts'
import { OUTBOX_SCHEMA_SQL } from './outbox/schema.ts'
import { openPipeline, type Pipeline } from './pipeline.ts'
import { readCounters } from './spool/counters.ts'
import { listSensorsSeen } from './spool/readings.ts'
import { SPOOL_SCHEMA_SQL } from './spool/schema.ts'

let database: Database
let pipeline: Pipeline
beforeEach(() => {
  database = openDatabase(':memory:', [SPOOL_SCHEMA_SQL, OBSERVING_SCHEMA_SQL, OUTBOX_SCHEMA_SQL])
  pipeline = openPipeline({
    database,
    node: 'n1',
    window: { ms: HOUR_MS, allowedLatenessMs: 0, time: 'readings' },
    rejectedBudgetBytes: 1000,
  })
})
afterEach(() => void database.close())

const reading = (id: string, changes: Partial<Reading> = {}): Result<Reading, Rejected> =>
  ok(exampleReading({ id: id as ReadingId, ...changes }))
const rejected = (bytes: number, reason: Rejected['reason'] = 'malformed-json') =>
  err({ reason, detail: 'payload: no JSON', topic: 't', receivedAtMs: 0, payload: new Uint8Array(bytes) })
const rows = () => pipeline.outbox.after(0, 1000).map(({ body }) => JSON.parse(body()))
const MODEL = { version: 'valley@000000000000' as ModelVersion, labels: ['owl'] }

test('a group makes readings, one revision and their rows; a repeat makes nothing and is answered all the same', () => {
  const first = pipeline.store([reading('a'), reading('b', { sensor: 'camera' as SensorId }), reading('a')], 5)
  expect([...first.ids]).toEqual([
    ['weather', ['a', 'a']],
    ['camera', ['b']],
  ])
  expect([first.newReadings, first.duplicates]).toEqual([2, 1])
  expect(first.changes.map(({ id, revision, readings }) => [id, revision, readings])).toEqual([['d1/0', 1, ['a', 'b']]])
  expect(rows().map(({ kind }) => kind)).toEqual(['reading', 'reading', 'observation'])
  const again = pipeline.store([reading('a')], 6)
  expect([again.ids.get('weather'), again.newReadings, again.changes]).toEqual([['a'], 0, []])
  expect(rows()).toHaveLength(3)
  expect(readCounters(database)).toEqual({ readings: 2, duplicates: 2 })
  expect(listSensorsSeen(database)).toEqual([
    { sensor: 'camera', readings: 1, lastReceivedAtMs: 5 },
    { sensor: 'weather', readings: 1, lastReceivedAtMs: 5 },
  ])
})

test('the same id from two sensors is two readings', () => {
  pipeline.store([reading('1'), reading('1', { sensor: 'soil' as SensorId })], 0)
  expect(countObservations(database)).toMatchObject({ observations: 1, revisions: 1 })
  expect(pipeline.waiting(1)[0]!.contents.map(({ sensor }) => sensor)).toEqual(['weather', 'soil'])
})

test('a reading without a time is kept, sent and counted, and joins no window', () => {
  const { changes } = pipeline.store([reading('a', { observedAtMs: null, observedAtText: null })], 0)
  expect(changes).toEqual([])
  expect(rows().map(({ kind }) => kind)).toEqual(['reading'])
  expect(readCounters(database)).toMatchObject({ readings: 1, 'readings-without-time': 1 })
})

test('a failing group leaves nothing behind', () => {
  database.exec("CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.seq = 2 BEGIN SELECT raise(ABORT, 'full'); END")
  expect(() => pipeline.store([reading('a'), rejected(10)], 0)).toThrow('full')
  expect(rows()).toEqual([])
  expect([countObservations(database).observations, readCounters(database)]).toEqual([0, {}])
  database.exec('DROP TRIGGER full')
  expect(pipeline.store([reading('a'), rejected(10)], 0).newReadings).toBe(1)
  expect(pipeline.outbox.lastSeq()).toBe(2)
})

test('what was no reading is kept within its budget, and counted for good', () => {
  pipeline.store([rejected(100), rejected(600, 'oversized'), rejected(100), rejected(100)], 0)
  const kept = database.prepare('SELECT number, reason FROM rejected ORDER BY number').all()
  expect(kept).toEqual([
    { number: 3, reason: 'malformed-json' },
    { number: 4, reason: 'malformed-json' },
  ])
  expect(readCounters(database)).toMatchObject({
    'rejected:malformed-json': 3,
    'rejected:oversized': 1,
    'rejected-evicted': 2,
    'rejected-bytes-held': 600,
  })
})

test('what waits comes newest window first, and a prediction ends the wait only of the revision it is for', () => {
  pipeline.store([reading('old'), reading('new', { observedAtMs: 5 * HOUR_MS })], 0)
  expect(pipeline.waiting(10).map(({ id }) => id)).toEqual([`d1/${5 * HOUR_MS}`, 'd1/0'])
  const [newest, oldest] = pipeline.waiting(10)
  const answer = { probabilities: [0.5], evidence: { weather: { visibleTokens: 1, totalTokens: 2 } } }
  pipeline.store([reading('more')], 0)
  const made = pipeline.predict(
    MODEL,
    [
      { of: newest!, ...answer },
      { of: oldest!, ...answer },
    ],
    9,
  )
  expect(
    made.map(({ observation, revision, final, predictedAtMs }) => [observation, revision, final, predictedAtMs]),
  ).toEqual([
    [`d1/${5 * HOUR_MS}`, 1, false, 9],
    ['d1/0', 1, true, 9],
  ])
  expect(pipeline.waiting(10).map(({ id, revision }) => [id, revision])).toEqual([['d1/0', 2]])
  // The same answer again (a crash after the commit) changes nothing.
  expect(pipeline.predict(MODEL, [{ of: newest!, ...answer }], 10)).toEqual([])
  expect(rows().filter(({ kind }) => kind === 'prediction')).toHaveLength(2)
  expect(countObservations(database)).toMatchObject({ predictions: 2, pending: 1 })
})

test('contents come back as they were stored', () => {
  const picture = exampleReading({
    id: 'p' as ReadingId,
    deployment: 'd2' as DeploymentId,
    content: { kind: 'image', width: 2, height: 1, channels: 3, pixels: Uint8Array.of(1, 2, 3, 250, 251, 252) },
    clock: { source: 'rtc' },
  })
  pipeline.store([ok(picture)], 0)
  expect(pipeline.waiting(1)[0]!.contents).toEqual([picture])
})
