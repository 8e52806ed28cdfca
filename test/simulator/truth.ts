/** What really happened at one station in one hour: place, time, weather, who was there, what was caught. */
import { randomStream } from '#shared/std/random.ts'
import { type Caught, drawCaught } from './catching.ts'
import { presenceProbability } from './presence.ts'
import { SPECIES } from './species.ts'
import { HOUR_MS, isNight, type Moment, makeStation, momentAt, type Station } from './station.ts'
import { makeWeather, type Weather } from './weather.ts'

export type Truth = {
  readonly station: Station
  /** Counts from the valley's first hour. */
  readonly hour: number
  readonly startMs: number
  readonly moment: Moment
  readonly weather: Weather
  /** Ids of the species that were there. */
  readonly present: readonly string[]
  readonly caught: Caught
}

export type TruthSource = {
  readonly stations: readonly Station[]
  /** The same answer whenever and in whatever order it is asked. */
  readonly at: (station: Station, hour: number) => Truth
  /** Weather alone, from −SERIES_HOURS on: the logger's last day reaches back before the first hour. */
  readonly weatherAt: (station: Station, hour: number) => Weather
}

/** The first hour must be a whole one; windows of observations start there too. */
export const makeTruth = (options: {
  readonly seed: number
  readonly stations: number
  readonly startMs: number
}): TruthSource => {
  const { seed, startMs } = options
  const stations = Array.from({ length: options.stations }, (_, index) => makeStation(seed, index))
  const weather = makeWeather(seed)
  const hourStart = (hour: number): number => startMs + hour * HOUR_MS
  return {
    stations,
    weatherAt: (station, hour) => weather(station, hour, momentAt(station, hourStart(hour))),
    at: (station, hour) => {
      const moment = momentAt(station, hourStart(hour))
      const air = weather(station, hour, moment)
      const random = randomStream(seed, `truth/${station.index}/${hour}`)
      const community = SPECIES.map((species) => ({
        species,
        isPresent: random.uniform() < presenceProbability(species, station, moment, air),
      }))
      return {
        station,
        hour,
        startMs: hourStart(hour),
        moment,
        weather: air,
        present: community.filter(({ isPresent }) => isPresent).map(({ species }) => species.id),
        caught: drawCaught(random, air, isNight(moment), community),
      }
    },
  }
}
