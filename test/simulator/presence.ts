/**
 * The first layer: which species are at a station in an hour. Presences are independent given place,
 * time and weather, each with a logistic probability; what sensors catch of them is catching.ts.
 */
import type { Niche, Species } from './species.ts'
import type { Moment, Station } from './station.ts'

/** The part of the weather that animals and sounds feel. */
export type Air = {
  readonly airTemperatureC: number
  readonly windSpeedMs: number
  /** In this hour. */
  readonly rainMm: number
  /** In this hour and the 23 before it. */
  readonly rainOfDayMm: number
}

const cost = (niche: Niche, value: number): number => 0.5 * ((value - niche.optimum) / niche.width) ** 2

/** Between −1 and 1, highest when the species is about. */
const activity = (when: Species['activity']['when'], sunDeg: number): number => {
  if (when === 'twilight') return 2 * Math.exp(-((sunDeg / 10) ** 2)) - 1
  const day = Math.tanh(sunDeg / 8)
  return when === 'day' ? day : -day
}

/** The part of the logit that place and time fix. */
export const placeTimeLogit = (species: Species, station: Station, moment: Moment): number =>
  species.abundance +
  species.habitat[station.habitat] -
  cost(species.elevationM, station.elevationM) -
  cost(species.dayOfYear, moment.dayOfYear) +
  species.activity.strength * activity(species.activity.when, moment.sunDeg)

/** The part that the hour's weather adds. */
export const airLogit = (species: Species, air: Air): number =>
  -cost(species.temperatureC, air.airTemperatureC) +
  species.rainEffect * Math.min(air.rainMm, 4) +
  species.windEffect * Math.min(Math.max(air.windSpeedMs - 2, 0), 8) +
  species.soakEffect * Math.log1p(air.rainOfDayMm / 4)

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** Probability that the species is there in this hour. */
export const presenceProbability = (species: Species, station: Station, moment: Moment, air: Air): number =>
  sigmoid(placeTimeLogit(species, station, moment) + airLogit(species, air))
