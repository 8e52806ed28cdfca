import sharp from 'sharp'
import { expect, test } from 'vitest'
import { labelSchema } from '#shared/wire/label.ts'
import { sensorMessageSchema } from '#shared/wire/sensor-message.ts'
import { sensorOfTopic } from '#shared/wire/topics.ts'
import { BREAKAGES, FIELD_RATES, NO_FAULTS, REASON_OF } from './faults.ts'
import { type Due, inSendOrder } from './schedule.ts'
import { SENSORS } from './sensor.ts'
import { LABELS } from './species.ts'
import { HOUR_MS } from './station.ts'
import { tallyOf } from './tally.ts'
import { createValley, type PlannedMessage, type StationHour } from './valley.ts'

const HOURS = 120
const valley = await createValley({ seed: 3, faults: { broken: 0.15 } })
const hours: StationHour[] = []
for (let hour = 0; hour < HOURS; hour++) hours.push(...(await valley.hour(hour)))
const messages = hours.flatMap((hour) => hour.messages)
const text = ({ payload }: PlannedMessage): string => Buffer.from(payload).toString()

test('an hour can be made again, byte for byte, by another valley of the same options', async () => {
  const again = await createValley({ seed: 3, faults: { broken: 0.15 } })
  for (const hour of [77, 5]) expect(await again.hour(hour)).toEqual(hours.slice(3 * hour, 3 * hour + 3))
})

test('every valid message satisfies the schema and stands on its sensor’s topic', () => {
  const valid = messages.filter(({ fate }) => fate.kind === 'valid')
  expect(valid.length).toBeGreaterThan(1000)
  for (const message of valid) {
    const parsed = sensorMessageSchema.parse(JSON.parse(text(message)))
    expect(parsed).toMatchObject({ id: message.id, modality: message.modality })
    expect(Date.parse(parsed.observed_at!)).toBe(message.observedAtMs)
    expect(sensorOfTopic(message.topic)).toBe(message.sensor)
    expect(message.payload.length).toBeLessThan(131072 - 200)
  }
})

test('all sensors report, and readings lie within their hour', () => {
  expect(new Set(messages.map(({ sensor }) => sensor))).toEqual(new Set(SENSORS.map(({ id }) => id)))
  for (const { truth, messages: ofHour } of hours) {
    for (const { observedAtMs, sendAtMs } of ofHour) {
      expect(Math.floor(observedAtMs / HOUR_MS) * HOUR_MS).toBe(truth.startMs)
      expect(sendAtMs).toBeGreaterThan(observedAtMs)
    }
  }
})

test('each breakage is what its reason says', async () => {
  const found = new Set<string>()
  for (const message of messages) {
    if (message.fate.kind !== 'broken') continue
    const { breakage } = message.fate
    found.add(breakage)
    expect(BREAKAGES[message.modality]).toContain(breakage)
    if (breakage === 'cut-json' || breakage === 'bare-nan') {
      expect(() => JSON.parse(text(message))).toThrow(SyntaxError)
      if (breakage === 'bare-nan') expect(() => JSON.parse(text(message).replace('NaN', '0'))).not.toThrow()
      continue
    }
    const parsed = sensorMessageSchema.safeParse(JSON.parse(text(message)))
    expect(parsed.success).toBe(breakage !== 'old-schema')
    if (breakage === 'reset-clock') expect(parsed.data?.observed_at).toMatch(/^1970-01-01T/)
    if (breakage === 'unknown-device') expect(sensorOfTopic(message.topic)).toBe(`stray-${message.sensor}`)
    if (breakage !== 'cut-media') continue
    const file = Buffer.from(parsed.data!.media!.data, 'base64')
    if (message.modality === 'audio') expect(file.readUInt32LE(40)).toBeGreaterThan(file.length - 44)
    else await expect(sharp(file, { failOn: 'truncated' }).raw().toBuffer()).rejects.toThrow()
  }
  expect(found).toEqual(new Set(Object.keys(REASON_OF)))
})

test('impossible values are impossible, nulls are explicit, stuck thermometers repeat', () => {
  const parsed = messages
    .filter(({ modality }) => modality === 'weather')
    .flatMap((message) => {
      const result = sensorMessageSchema.safeParse(
        message.fate.kind === 'broken' && message.fate.breakage !== 'impossible-value'
          ? null
          : JSON.parse(text(message)),
      )
      return result.success ? [{ message, values: result.data.values! }] : []
    })
  for (const { message, values } of parsed) {
    if (message.fate.kind === 'broken') expect(values.airTemperatureC).toBe(-127)
    else expect(values.windSpeedMs === null).toBe(message.fate.hasNull)
  }
  expect(parsed.some(({ values }) => values.windSpeedMs === null)).toBe(true)
})

test('a stuck thermometer shows one value while the spell lasts', async () => {
  const stuck = await createValley({ seed: 4, stations: 1, faults: { ...NO_FAULTS, stuckSpellsPerDay: 1 } })
  const shown = new Map<number, Set<unknown>>()
  for (let hour = 0; hour < 72; hour++) {
    const weather = (await stuck.hour(hour))[0]!.messages.find(({ modality }) => modality === 'weather')!
    if (weather.fate.kind !== 'valid' || weather.fate.stuckSinceHour === null) continue
    const since = shown.get(weather.fate.stuckSinceHour) ?? new Set()
    shown.set(weather.fate.stuckSinceHour, since.add(JSON.parse(text(weather)).values.airTemperatureC))
  }
  expect(shown.size).toBeGreaterThan(0)
  for (const values of shown.values()) expect(values.size).toBe(1)
})

test('without faults every sensor reports once, in time', async () => {
  const calm = await createValley({ seed: 3, stations: 2, faults: NO_FAULTS })
  const tally = tallyOf([...(await calm.hour(0)), ...(await calm.hour(9))])
  expect(tally).toMatchObject({
    stationHours: 4,
    observations: 4,
    valid: 20,
    repeats: 0,
    late: 0,
    rejected: {},
    silent: 0,
  })
})

test('faults come at about their rates', () => {
  const tally = tallyOf(hours)
  const readings = messages.filter(({ isRepeat }) => !isRepeat).length
  const rejected = Object.values(tally.rejected).reduce((sum, count) => sum + count, 0)
  /** Five standard errors of a share of n. */
  const expectShare = (count: number, n: number, share: number) =>
    expect(Math.abs(count / n - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / n))
  expect(tally.valid + rejected).toBe(readings)
  expect(readings + tally.silent).toBe(HOURS * 3 * SENSORS.length)
  expectShare(rejected, readings, 0.15)
  expectShare(tally.repeats, tally.valid, FIELD_RATES.duplicate)
  expect(tally.repeats).toBe(messages.filter(({ isRepeat }) => isRepeat).length)
  // A silence of 25 hours on average begins on 6 days of 100; spells are few, so the bounds are wide.
  expect(tally.silent / (HOURS * 3 * SENSORS.length)).toBeGreaterThan(0.005)
  expect(tally.silent / (HOURS * 3 * SENSORS.length)).toBeLessThan(0.2)
  expect(tally.late / tally.valid).toBeGreaterThan(FIELD_RATES.late * 0.6)
  expect(tally.late / tally.valid).toBeLessThan(0.35)
})

test('labels tell the truth about a share of the reviewable hours', () => {
  const labelled = hours.filter(({ label }) => label !== null)
  expect(Math.abs(labelled.length / hours.length - 0.5)).toBeLessThan(0.14)
  for (const { truth, label } of labelled) {
    const { message, sendAtMs } = label!
    expect(labelSchema.parse(message)).toEqual(message)
    expect(message.observation).toBe(`${truth.station.deployment}/${truth.startMs}`)
    expect(message.present.every((id) => truth.present.includes(id))).toBe(true)
    expect(message.absent.some((id) => truth.present.includes(id))).toBe(false)
    expect(message.present.length + message.absent.length).toBeLessThanOrEqual(LABELS.length)
    expect(sendAtMs).toBeGreaterThan(truth.startMs + HOUR_MS)
  }
})

test('the schedule holds everything, in the order of sending, and an hour only after what was sent in it', async () => {
  const dues: Due[] = []
  for await (const due of inSendOrder(valley, { fromHour: 10, hours: 20 })) dues.push(due)
  const span = hours.slice(30, 90)
  expect(dues.filter(({ kind }) => kind === 'reading')).toHaveLength(span.flatMap((hour) => hour.messages).length)
  expect(dues.filter(({ kind }) => kind === 'label')).toHaveLength(tallyOf(span).labels)
  expect(dues.filter(({ kind }) => kind === 'hour')).toHaveLength(20)
  dues.slice(1).forEach((due, i) => {
    expect(due.sendAtMs).toBeGreaterThanOrEqual(dues[i]!.sendAtMs)
  })
  const observed = dues.flatMap((due) => (due.kind === 'reading' ? [due.message.observedAtMs] : []))
  expect(observed).not.toEqual([...observed].sort((a, b) => a - b))
})

test('options out of range are refused', async () => {
  await expect(createValley({ seed: 1, stations: 51 })).rejects.toThrow('51')
  await expect(createValley({ seed: 1, startMs: 5 })).rejects.toThrow('whole hour')
})
