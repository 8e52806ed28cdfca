/** Stations and the sun over them: where a reading is made, and what time of day and year it is there. */
import { getPosition } from 'suncalc'
import { type DeploymentId, type NodeId, type ObservationId, observationId } from '#shared/domain/ids.ts'
import { randomStream } from '#shared/std/random.ts'
import { HABITATS, type Habitat } from './species.ts'

export const HOUR_MS = 3_600_000

export type Station = {
  readonly index: number
  readonly node: NodeId
  readonly deployment: DeploymentId
  readonly latitude: number
  readonly longitude: number
  readonly elevationM: number
  readonly habitat: Habitat
  /** Added to the logarithm of the wind speed: ridges are windier than hollows. */
  readonly windExposure: number
}

/** What the calendar and the sun say at one station in the middle of one hour. */
export type Moment = {
  readonly dayOfYear: number
  /** Local mean solar time, 0 to 24. */
  readonly solarHour: number
  /** Degrees above the horizon. */
  readonly sunDeg: number
}

/** Middle elevations by habitat, so that place, habitat and climate go together as they do in mountains. */
const BASE_M: Readonly<Record<Habitat, number>> = { forest: 1050, meadow: 1300, wetland: 560, scree: 1850 }

export const makeStation = (seed: number, index: number): Station => {
  const random = randomStream(seed, `station/${index}`)
  const name = `valley-${String(index + 1).padStart(2, '0')}`
  // The first four stations stand in the four habitats in turn; later ones where chance puts them.
  const order = [HABITATS[0], HABITATS[2], HABITATS[3], HABITATS[1]] as const
  const habitat = order[index] ?? HABITATS[random.index(HABITATS.length)]!
  return {
    index,
    node: name as NodeId,
    deployment: `${name}-spring` as DeploymentId,
    latitude: round(46.4 + 0.25 * random.uniform(), 5),
    longitude: round(7.1 + 0.4 * random.uniform(), 5),
    elevationM: Math.round(BASE_M[habitat] + 130 * (2 * random.uniform() - 1)),
    habitat,
    windExposure: (habitat === 'scree' ? 0.35 : habitat === 'forest' ? -0.25 : 0) + 0.1 * random.normal(),
  }
}

export const momentAt = (station: Station, hourStartMs: number): Moment => {
  const middle = new Date(hourStartMs + HOUR_MS / 2)
  const yearStart = Date.UTC(middle.getUTCFullYear(), 0, 1)
  return {
    dayOfYear: (middle.getTime() - yearStart) / (24 * HOUR_MS) + 1,
    solarHour: (middle.getTime() / HOUR_MS + station.longitude / 15) % 24,
    sunDeg: getPosition(middle, station.latitude, station.longitude).altitude,
  }
}

/** Infrared flash instead of colour: civil twilight is over. */
export const isNight = (moment: Moment): boolean => moment.sunDeg < -4

export const observationOf = (station: Station, hourStartMs: number): ObservationId =>
  observationId(station.deployment, hourStartMs)

export const round = (value: number, digits: number): number => {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}
