/**
 * The valley: a seeded world of stations, animals, weather and failing sensors, hour by virtual hour.
 * Truth, catches, media, faults and labels each draw from streams named by (station, hour), so any hour
 * can be made again by itself and always comes out the same, byte for byte.
 */
import { randomStream } from '#shared/std/random.ts'
import { cloudTopics, stationTopics } from '#shared/wire/topics.ts'
import { type Fate, type FaultRates, FIELD_RATES, fateOf } from './faults.ts'
import { DEFAULT_REVIEW, labelOf, type PlannedLabel, type ReviewOptions } from './label.ts'
import {
  brokenPayload,
  type Content,
  locationContent,
  mediaContent,
  sensorMessage,
  seriesContent,
  weatherContent,
} from './message.ts'
import { encodeJpeg, takePicture } from './picture.ts'
import type { Modality } from './posterior.ts'
import { SENSORS, type SensorKind } from './sensor.ts'
import { drawSprites, type Sprite } from './silhouettes.ts'
import { encodeWav, recordSound } from './sound.ts'
import { HOUR_MS, isNight, type Station } from './station.ts'
import { makeTruth, type Truth, type TruthSource } from './truth.ts'
import { DEFAULT_START_MS } from './valley-options.ts'
import { SERIES_HOURS } from './weather.ts'

export const SITE = 'valley'
export const REVIEWERS = 'reviewers'
export const MOST_STATIONS = 50

export type ValleyOptions = {
  readonly seed: number
  /** 1 to MOST_STATIONS. */
  readonly stations?: number
  /** First hour, ms since 1970 UTC; a whole hour. */
  readonly startMs?: number
  /** First level of all topics. */
  readonly prefix?: string
  readonly faults?: Partial<FaultRates>
  readonly review?: Partial<ReviewOptions>
}

/** Something a sensor will publish. Repeats are messages of their own with the same id and bytes. */
export type PlannedMessage = {
  readonly id: string
  readonly station: Station
  readonly sensor: string
  readonly modality: Modality
  readonly topic: string
  readonly payload: Uint8Array
  readonly observedAtMs: number
  /** When the sensor first tries, in virtual time. */
  readonly sendAtMs: number
  readonly fate: Exclude<Fate, { kind: 'silent' }>
  readonly isRepeat: boolean
}

export type StationHour = {
  readonly truth: Truth
  /** In the order of sending, which is not the order of observing. */
  readonly messages: readonly PlannedMessage[]
  /** Names of the sensors that said nothing. */
  readonly silent: readonly string[]
  readonly label: (PlannedLabel & { readonly topic: string }) | null
}

export type Valley = {
  readonly seed: number
  readonly prefix: string
  readonly startMs: number
  readonly stations: readonly Station[]
  /** Cheap: no media are made. */
  readonly truth: (station: Station, hour: number) => Truth
  /** One entry a station, in the order of `stations`. Costs some 10 ms a station. */
  readonly hour: (hour: number) => Promise<readonly StationHour[]>
}

export const createValley = async (options: ValleyOptions): Promise<Valley> => {
  const { seed, stations = 3, startMs = DEFAULT_START_MS, prefix = 'understory' } = options
  if (stations < 1 || stations > MOST_STATIONS)
    throw new RangeError(`stations: ${stations} is not in 1…${MOST_STATIONS}`)
  if (startMs % HOUR_MS !== 0) throw new RangeError(`startMs: ${startMs} is not a whole hour`)
  const source = makeTruth({ seed, stations, startMs })
  const world: World = {
    seed,
    prefix,
    source,
    sprites: await drawSprites(),
    faults: { ...FIELD_RATES, ...options.faults },
    review: { ...DEFAULT_REVIEW, ...options.review },
  }
  return {
    seed,
    prefix,
    startMs,
    stations: source.stations,
    truth: source.at,
    hour: async (hour) => {
      const all: StationHour[] = []
      // One after another: the media of many stations at once would only crowd memory.
      for (const station of source.stations) all.push(await stationHour(world, source.at(station, hour)))
      return all
    },
  }
}

type World = {
  readonly seed: number
  readonly prefix: string
  readonly source: TruthSource
  readonly sprites: ReadonlyMap<string, Sprite>
  readonly faults: FaultRates
  readonly review: ReviewOptions
}

const stationHour = async (world: World, truth: Truth): Promise<StationHour> => {
  const { station, hour } = truth
  const fates = SENSORS.map((sensor) => ({
    sensor,
    fate: fateOf(world.seed, world.faults, {
      station: station.index,
      sensor: sensor.id,
      modality: sensor.modality,
      hour,
    }),
  }))
  const messages: PlannedMessage[] = []
  for (const { sensor, fate } of fates) {
    if (fate.kind !== 'silent') messages.push(...(await plannedMessages(world, truth, sensor, fate)))
  }
  const label = labelOf(world.seed, world.review, truth)
  // Nobody can review an hour of which nothing valid was ever recorded.
  const isReviewable = messages.some(({ fate }) => fate.kind === 'valid')
  return {
    truth,
    messages: messages.sort((a, b) => a.sendAtMs - b.sendAtMs),
    silent: fates.filter(({ fate }) => fate.kind === 'silent').map(({ sensor }) => sensor.id),
    label: label && isReviewable ? { ...label, topic: cloudTopics(world.prefix).labels(REVIEWERS) } : null,
  }
}

const plannedMessages = async (
  world: World,
  truth: Truth,
  sensor: SensorKind,
  fate: PlannedMessage['fate'],
): Promise<readonly PlannedMessage[]> => {
  const { station, hour } = truth
  const observedAtMs = truth.startMs + sensor.minute * 60_000
  const id = `${station.deployment}:${sensor.id}:${hour}`
  const head = { id, sensor: sensor.id, modality: sensor.modality, station, atMs: observedAtMs }
  const message = sensorMessage(head, await contentOf(world, truth, sensor, fate))
  const random = randomStream(world.seed, `breakage/${id}`)
  const first: PlannedMessage = {
    id,
    station,
    sensor: sensor.id,
    modality: sensor.modality,
    topic: stationTopics(world.prefix, SITE, station.node).observation(
      fate.kind === 'broken' && fate.breakage === 'unknown-device' ? `stray-${sensor.id}` : sensor.id,
    ),
    payload:
      fate.kind === 'broken' ? brokenPayload(message, fate.breakage, random) : Buffer.from(JSON.stringify(message)),
    observedAtMs,
    sendAtMs: observedAtMs + fate.delayMs,
    fate,
    isRepeat: false,
  }
  if (fate.kind !== 'valid' || fate.repeatAfterMs === null) return [first]
  return [first, { ...first, sendAtMs: first.sendAtMs + fate.repeatAfterMs, isRepeat: true }]
}

const contentOf = async (
  world: World,
  truth: Truth,
  sensor: SensorKind,
  fate: PlannedMessage['fate'],
): Promise<Content> => {
  const { station, hour, weather, caught } = truth
  const mediaSeed = randomStream(world.seed, `media/${sensor.id}/${station.index}/${hour}`).index(2 ** 31)
  switch (sensor.modality) {
    case 'weather': {
      const isStuck = fate.kind === 'valid' && fate.stuckSinceHour !== null
      const shownHour = isStuck ? Math.max(0, fate.stuckSinceHour) : hour
      const { airTemperatureC } = world.source.weatherAt(station, shownHour)
      return weatherContent(weather, { hasNull: fate.kind === 'valid' && fate.hasNull, airC: airTemperatureC })
    }
    case 'weather-series': {
      const first = hour - SERIES_HOURS + 1
      return seriesContent(Array.from({ length: SERIES_HOURS }, (_, i) => world.source.weatherAt(station, first + i)))
    }
    case 'location':
      return locationContent(station)
    case 'audio':
      return mediaContent('audio/wav', encodeWav(recordSound(mediaSeed, weather, caught)))
    case 'camera': {
      const scene = { seen: caught.seen, night: isNight(truth.moment) }
      return mediaContent('image/jpeg', await encodeJpeg(takePicture(mediaSeed, scene, world.sprites)))
    }
  }
}
