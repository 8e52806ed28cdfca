/**
 * Place and time: up to four tokens from the newest location reading and the middle of the window. Season
 * and time of day are hidden without a location reading, because a modality comes and goes as a whole.
 */
import { getPosition } from 'suncalc'
import type { LocationPart, ModalitySpec } from '#shared/domain/modality.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import { assert, assertNever } from '#shared/std/assert.ts'
import { type ContentOf, hiddenTokens, isNumber, type KindLayout, type Token } from './kind.ts'

type LocationSpec = Extract<ModalitySpec, { kind: 'location' }>

/**
 * Periods of the waves over latitude and longitude, beside the unit vector. All divide 360°, so nothing
 * jumps at the date line. The finest tells places some 10 km apart; finer ones would number the stations.
 */
const POSITION_PERIODS_DEG = [90, 22.5, 5.625, 1.40625]
const ELEVATION_PERIODS_M = [16000, 4000, 1000]
const SEASON_HARMONICS = [1, 2]

const HOUR_MS = 3_600_000
const RADIANS = Math.PI / 180

const FEATURES: Readonly<Record<LocationPart, number>> = {
  position: 3 + 4 * POSITION_PERIODS_DEG.length,
  elevation: 1 + 2 * ELEVATION_PERIODS_M.length,
  season: 2 * SEASON_HARMONICS.length,
  dayTime: 3,
}

export const locationLayout = ({ name, parts }: LocationSpec): KindLayout => {
  assert(new Set(parts).size === parts.length, 'parts of a location differ', { modality: name, parts })
  return {
    blocks: parts.map((part) => ({ name: part, encoding: 'linear', groups: 1, features: FEATURES[part] })),
    slots: parts.map((part, block) => ({ name: `.${part}`, block, group: 0 })),
  }
}

/** Sine and cosine of a number of turns. */
const wave = (turns: number): readonly [number, number] => [
  Math.sin(2 * Math.PI * turns),
  Math.cos(2 * Math.PI * turns),
]

/** Unit vector of the place, then waves of latitude and longitude. */
const positionToken = ({ latitude, longitude }: ContentOf<'location'>): Token => {
  const [phi, lambda] = [latitude * RADIANS, longitude * RADIANS]
  return [
    Math.cos(phi) * Math.cos(lambda),
    Math.cos(phi) * Math.sin(lambda),
    Math.sin(phi),
    ...POSITION_PERIODS_DEG.flatMap((period) => [...wave(latitude / period), ...wave(longitude / period)]),
  ]
}

const elevationToken = ({ elevationM }: ContentOf<'location'>): Token =>
  isNumber(elevationM)
    ? [elevationM / 1000, ...ELEVATION_PERIODS_M.flatMap((period) => wave(elevationM / period))]
    : null

/** Share of the year that has passed, by the calendar of UTC. */
const seasonToken = (atMs: number): Token => {
  const year = new Date(atMs).getUTCFullYear()
  const start = Date.UTC(year, 0, 1)
  const share = (atMs - start) / (Date.UTC(year + 1, 0, 1) - start)
  return SEASON_HARMONICS.flatMap((harmonic) => wave(harmonic * share))
}

/** Local mean solar time, and the sine of the sun's apparent height (suncalc gives degrees, refraction included). */
const dayTimeToken = ({ latitude, longitude }: ContentOf<'location'>, atMs: number): Token => {
  const solarHour = atMs / HOUR_MS + longitude / 15
  const { altitude } = getPosition(new Date(atMs), latitude, longitude)
  return [...wave((solarHour % 24) / 24), Math.sin(altitude * RADIANS)]
}

const tokenOf = (part: LocationPart, location: ContentOf<'location'>, atMs: number): Token => {
  switch (part) {
    case 'position':
      return positionToken(location)
    case 'elevation':
      return elevationToken(location)
    case 'season':
      return seasonToken(atMs)
    case 'dayTime':
      return dayTimeToken(location, atMs)
    default:
      return assertNever(part)
  }
}

export const locationTokens = (
  { parts }: LocationSpec,
  newestFirst: readonly ContentOf<'location'>[],
  window: TimeWindow,
): Token[] => {
  const location = newestFirst.find(({ latitude, longitude }) => Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)
  if (!location) return hiddenTokens(parts.length)
  const middleMs = window.startMs + (window.endMs - window.startMs) / 2
  return parts.map((part) => tokenOf(part, location, middleMs))
}
