/** The parser against the simulated valley: every breakage gets its reason, every valid message its content. */
import { expect, test } from 'vitest'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { randomStream } from '#shared/std/random.ts'
import type { SensorMessage } from '#shared/wire/sensor-message.ts'
import { BREAKAGES, NO_FAULTS, REASON_OF } from '#test/simulator/faults.ts'
import { brokenPayload } from '#test/simulator/message.ts'
import type { Modality } from '#test/simulator/posterior.ts'
import { SENSORS } from '#test/simulator/sensor.ts'
import { tallyOf } from '#test/simulator/tally.ts'
import { createValley, type PlannedMessage } from '#test/simulator/valley.ts'
import { createReadingParser } from './parse-message.ts'

const parse = (message: Pick<PlannedMessage, 'station' | 'topic' | 'payload'>, nowMs: number) => {
  const { node, deployment } = message.station
  const sensors = new Map(SENSORS.map(({ id, modality }) => [id as string, { id, modality, deployment }]))
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0 }
  return createReadingParser({ node, sensors, clock })(message.topic, message.payload)
}

/** What is in a message, told from the message alone. */
const expectContent = (content: ReadingContent, { modality }: PlannedMessage, sent: SensorMessage): void => {
  const kinds: Record<Modality, ReadingContent['kind']> = {
    weather: 'scalars',
    'weather-series': 'series',
    audio: 'audio',
    camera: 'image',
    location: 'location',
  }
  expect(content.kind).toBe(kinds[modality])
  switch (content.kind) {
    case 'scalars':
      expect(content.values).toEqual(sent.values)
      break
    case 'series':
      expect(content).toMatchObject({ stepMs: 3_600_000, variables: sent.series?.variables })
      break
    case 'location':
      expect([content.latitude, content.longitude, content.elevationM]).toEqual(Object.values(sent.location!))
      break
    case 'image':
      expect([content.width, content.height, content.channels, content.pixels.length]).toEqual([64, 48, 3, 9216])
      // Pictures of this valley have sky and ground, never one tone.
      expect(new Set(content.pixels).size).toBeGreaterThan(20)
      break
    case 'audio':
      expect([content.frames, content.levels.length]).toEqual([124, 124 * 32])
      expect(new Set(content.levels).size).toBeGreaterThan(20)
      break
    default:
      throw new Error(`no sensor of the valley sends ${content.kind}`)
  }
}

test('a day of three stations, with three times the usual faults, is tallied as planned', async () => {
  const valley = await createValley({ seed: 11, faults: { broken: 0.1 } })
  const hours = []
  const rejected: Record<string, number> = {}
  let valid = 0
  for (let hour = 0; hour < 24; hour++) {
    const stationHours = await valley.hour(hour)
    hours.push(...stationHours)
    for (const message of stationHours.flatMap(({ messages }) => messages)) {
      const parsed = await parse(message, message.sendAtMs)
      if (message.isRepeat) continue
      if (!parsed.ok) {
        rejected[parsed.error.reason] = (rejected[parsed.error.reason] ?? 0) + 1
        continue
      }
      const { reading, media } = parsed.value
      valid++
      expect(reading).toMatchObject({
        id: message.id,
        node: message.station.node,
        sensor: message.sensor,
        deployment: message.station.deployment,
        modality: message.modality,
        observedAtMs: message.observedAtMs,
      })
      const sent: SensorMessage = JSON.parse(Buffer.from(message.payload).toString())
      expectContent(reading.content, message, sent)
      expect(media && Buffer.from(media).toString('base64')).toBe(sent.media?.data ?? null)
      expect(reading.media?.mediaType).toBe(sent.media?.type)
    }
  }
  const tally = tallyOf(hours)
  expect({ valid, rejected }).toEqual({ valid: tally.valid, rejected: tally.rejected })
  expect(Object.keys(rejected).length).toBeGreaterThan(4)
})

test('every breakage of every sensor gets its reason, in many shapes', async () => {
  const valley = await createValley({ seed: 12, faults: NO_FAULTS })
  const [morning] = await valley.hour(8)
  const random = randomStream(5, 'breakages')
  let count = 0
  for (const message of morning!.messages) {
    const sent: SensorMessage = JSON.parse(Buffer.from(message.payload).toString())
    for (const breakage of new Set(BREAKAGES[message.modality])) {
      const shapes = breakage === 'cut-json' || breakage === 'cut-media' ? 60 : 10
      for (let shape = 0; shape < shapes; shape++) {
        const payload = brokenPayload(sent, breakage, random)
        const topic =
          breakage === 'unknown-device'
            ? message.topic.replace(message.sensor, `stray-${message.sensor}`)
            : message.topic
        const parsed = await parse({ ...message, topic, payload }, message.sendAtMs)
        expect(parsed.ok ? 'a reading' : parsed.error.reason, `${message.sensor}: ${breakage}`).toBe(
          REASON_OF[breakage],
        )
        count++
      }
    }
  }
  expect(count).toBe(5 * (60 + 30) + 2 * 20 + 10 + 2 * 60)
})
