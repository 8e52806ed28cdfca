/**
 * The best macro AUC that any model could reach from each subset of the sensors: the Bayes posterior of
 * the generative model itself, scored on seeded station-hours. It is an upper bound, since the evidence
 * is taken before noise, rounding, faults and pixels (see posterior.ts), up to Monte-Carlo error.
 */

import { auc } from '#cloud/metrics/auc.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import {
  type LatentEvidence,
  MODALITIES,
  type Modality,
  makeParticle,
  type Particle,
  posteriorOf,
} from './posterior.ts'
import { SPECIES } from './species.ts'
import { HOUR_MS, isNight, momentAt, type Station } from './station.ts'
import { makeTruth, type Truth, type TruthSource } from './truth.ts'
import { DEFAULT_START_MS } from './valley-options.ts'
import { SERIES_HOURS, weatherMeans } from './weather.ts'

export type BestPossibleOptions = {
  readonly seed: number
  /** Length of the season that observations and contexts are drawn from. */
  readonly hours: number
  readonly stations?: number
  readonly startMs?: number
  /** Station-hours that are scored. */
  readonly observations?: number
  /** Contexts drawn where place and time are unknown; a tenth of them where only the weather is. */
  readonly contexts?: number
  readonly subsets?: readonly (readonly Modality[])[]
}

/** Each modality alone, all, and all but one. */
export const STANDARD_SUBSETS: readonly (readonly Modality[])[] = [
  ...MODALITIES.map((modality) => [modality]),
  [...MODALITIES],
  ...MODALITIES.map((left) => MODALITIES.filter((modality) => modality !== left)),
]

export const subsetName = (subset: readonly string[]): string => subset.join('+')

const evidenceOf = (source: TruthSource, truth: Truth): LatentEvidence => ({
  weather: truth.weather,
  dayOfWeather: Array.from({ length: SERIES_HOURS }, (_, i) =>
    source.weatherAt(truth.station, truth.hour - SERIES_HOURS + 1 + i),
  ),
  night: isNight(truth.moment),
  heard: SPECIES.map(
    ({ id }) => [...truth.caught.calls, ...truth.caught.mimics].filter(({ species }) => species === id).length,
  ),
  seen: SPECIES.map(({ id }) => truth.caught.seen.includes(id)),
})

const particlesAt = (station: Station, startMs: number, count: number, random: Random): readonly Particle[] => {
  const dayOfMeans = Array.from({ length: SERIES_HOURS }, (_, i) =>
    weatherMeans(station, momentAt(station, startMs + (i + 1 - SERIES_HOURS) * HOUR_MS)),
  )
  const place = { station, moment: momentAt(station, startMs), dayOfMeans }
  return Array.from({ length: count }, () => makeParticle(place, random.normal))
}

export type ScoredHours = {
  readonly truths: readonly Truth[]
  /** P(present) by observation, then by species in the order of SPECIES. */
  readonly posteriors: (subset: readonly Modality[]) => readonly (readonly number[])[]
}

/** Draws the station-hours that are scored, and the contexts that explain them. */
export const drawScoredHours = (options: Omit<BestPossibleOptions, 'subsets'>): ScoredHours => {
  const { seed, hours, stations = 3, startMs = DEFAULT_START_MS, observations = 600, contexts = 600 } = options
  const source = makeTruth({ seed, stations, startMs })
  const random = randomStream(seed, 'best possible')
  const draw = (): { readonly station: Station; readonly hour: number } => ({
    station: source.stations[random.index(stations)]!,
    hour: random.index(hours),
  })
  const truths = Array.from({ length: observations }, draw).map(({ station, hour }) => source.at(station, hour))
  const anywhere = Array.from({ length: contexts }, draw).flatMap(({ station, hour }) =>
    particlesAt(station, startMs + hour * HOUR_MS, 1, random),
  )
  const cases = truths.map((truth) => ({
    evidence: evidenceOf(source, truth),
    here: particlesAt(truth.station, truth.startMs, Math.max(8, Math.round(contexts / 10)), random),
  }))
  return {
    truths,
    posteriors: (subset) => {
      const known = new Set(subset)
      return cases.map(({ evidence, here }) => posteriorOf(known.has('location') ? here : anywhere, evidence, known))
    },
  }
}

const macroAuc = (truths: readonly Truth[], posteriors: readonly (readonly number[])[]): number => {
  const scores = SPECIES.map(({ id }, s) =>
    auc(
      posteriors.map((posterior) => posterior[s]!),
      truths.map(({ present }) => Number(present.includes(id))),
    ),
  )
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

/** Macro AUC by subset; keys are modality names joined by `+` as the subsets list them. */
export const bestPossibleAuc = (options: BestPossibleOptions): Readonly<Record<string, number>> => {
  const { truths, posteriors } = drawScoredHours(options)
  const subsets = options.subsets ?? STANDARD_SUBSETS
  return Object.fromEntries(subsets.map((subset) => [subsetName(subset), macroAuc(truths, posteriors(subset))]))
}
