/**
 * How the field goes wrong: sensors fall silent, links come and go, messages repeat, files break. Each
 * decision is drawn from (seed, station, sensor, hour or day) alone, so any hour can be asked for by itself.
 */
import type { RejectReason } from '#shared/domain/reading.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import type { Modality } from './posterior.ts'
import { HOUR_MS } from './station.ts'

export type FaultRates = {
  /** Silences of one sensor (battery, full memory card) beginning per day; each lasts 2 to 48 hours. */
  readonly silencesPerDay: number
  /** Breaks of a station's sensor network beginning per day; readings of 1 to 12 hours come in one burst. */
  readonly linkBreaksPerDay: number
  /** Spells of 3 to 24 hours per day in which the thermometer repeats one value. */
  readonly stuckSpellsPerDay: number
  /** Share of readings that come 5 minutes to 6 hours late although the link is up. */
  readonly late: number
  /** Share of valid readings that a sensor sends a second time. */
  readonly duplicate: number
  /** Share of weather readings with an explicit null for the wind (frozen anemometer). */
  readonly nullValue: number
  /** Share of readings that arrive broken, over all kinds of BREAKAGES that the sensor can have. */
  readonly broken: number
}

export const FIELD_RATES: FaultRates = {
  silencesPerDay: 0.06,
  linkBreaksPerDay: 0.15,
  stuckSpellsPerDay: 0.02,
  late: 0.06,
  duplicate: 0.03,
  nullValue: 0.02,
  broken: 0.03,
}

export const NO_FAULTS: FaultRates = {
  silencesPerDay: 0,
  linkBreaksPerDay: 0,
  stuckSpellsPerDay: 0,
  late: 0,
  duplicate: 0,
  nullValue: 0,
  broken: 0,
}

export type Breakage =
  | 'cut-json'
  | 'bare-nan'
  | 'old-schema'
  | 'impossible-value'
  | 'cut-media'
  | 'unknown-device'
  | 'reset-clock'

/** What a station must say about each. */
export const REASON_OF: Readonly<Record<Breakage, RejectReason>> = {
  'cut-json': 'malformed-json',
  'bare-nan': 'not-a-number',
  'old-schema': 'wrong-schema',
  'impossible-value': 'impossible-value',
  'cut-media': 'bad-media',
  'unknown-device': 'unknown-device',
  'reset-clock': 'clock-reset',
}

const EVERY: readonly Breakage[] = ['cut-json', 'old-schema', 'unknown-device', 'reset-clock']

export const BREAKAGES: Readonly<Record<Modality, readonly Breakage[]>> = {
  weather: [...EVERY, 'bare-nan', 'impossible-value'],
  'weather-series': [...EVERY, 'bare-nan', 'impossible-value'],
  audio: [...EVERY, 'cut-media', 'cut-media'],
  camera: [...EVERY, 'cut-media', 'cut-media'],
  location: [...EVERY, 'impossible-value'],
}

/** What becomes of one reading. */
export type Fate =
  | { readonly kind: 'silent' }
  | { readonly kind: 'broken'; readonly breakage: Breakage; readonly delayMs: number }
  | {
      readonly kind: 'valid'
      readonly delayMs: number
      /** Sent a second time this much after the first, or null. */
      readonly repeatAfterMs: number | null
      /** The wind is null. */
      readonly hasNull: boolean
      /** The hour whose temperature the thermometer still shows; null when it works. */
      readonly stuckSinceHour: number | null
    }

type Spell = { readonly fromHour: number; readonly toHour: number }

/** At most one spell begins on a day; the one that covers `hour`, the latest first. */
const spellAt = (
  seed: number,
  name: string,
  hour: number,
  options: { readonly perDay: number; readonly shortestHours: number; readonly longestHours: number },
): Spell | null => {
  const { perDay, shortestHours, longestHours } = options
  if (perDay === 0) return null
  const today = Math.floor(hour / 24)
  for (let day = today; day >= today - Math.ceil(longestHours / 24); day--) {
    const random = randomStream(seed, `${name}/${day}`)
    if (random.uniform() >= perDay) continue
    const fromHour = day * 24 + random.index(24)
    const toHour = fromHour + shortestHours + random.index(longestHours - shortestHours + 1)
    if (fromHour <= hour && hour < toHour) return { fromHour, toHour }
  }
  return null
}

const lateness = (random: Random): number => {
  const shortest = HOUR_MS / 12
  return shortest * (6 * 12) ** random.uniform()
}

/** Milliseconds between the reading and its first sending; a broken link holds everything to its end. */
const delayOf = (random: Random, outage: Spell | null, hour: number, rates: FaultRates): number => {
  if (outage !== null) return (outage.toHour - hour) * HOUR_MS + random.uniform() * (HOUR_MS / 6)
  return random.uniform() < rates.late ? lateness(random) : 500 + 4000 * random.uniform()
}

export const fateOf = (
  seed: number,
  rates: FaultRates,
  reading: { readonly station: number; readonly sensor: string; readonly modality: Modality; readonly hour: number },
): Fate => {
  const { station, sensor, modality, hour } = reading
  const spell = (what: string, perDay: number, shortestHours: number, longestHours: number) =>
    spellAt(seed, `${what}/${station}`, hour, { perDay, shortestHours, longestHours })
  if (spell(`silence/${sensor}`, rates.silencesPerDay, 2, 48) !== null) return { kind: 'silent' }
  const random = randomStream(seed, `fate/${station}/${sensor}/${hour}`)
  const delayMs = delayOf(random, spell('link', rates.linkBreaksPerDay, 1, 12), hour, rates)
  if (random.uniform() < rates.broken) {
    const kinds = BREAKAGES[modality]
    return { kind: 'broken', breakage: kinds[random.index(kinds.length)]!, delayMs }
  }
  const stuck = modality === 'weather' ? spell('stuck', rates.stuckSpellsPerDay, 3, 24) : null
  return {
    kind: 'valid',
    delayMs,
    repeatAfterMs: random.uniform() < rates.duplicate ? 1000 + random.uniform() * HOUR_MS : null,
    hasNull: modality === 'weather' && random.uniform() < rates.nullValue,
    stuckSinceHour: stuck?.fromHour ?? null,
  }
}
