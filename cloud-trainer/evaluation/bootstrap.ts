/**
 * How sure a macro AUC is: the percentile bootstrap over observations (Efron and Tibshirani 1993, chapter 13).
 * A resample draws whole observations, so that what the labels of one observation share stays together.
 */
import { randomStream } from '#shared/std/random.ts'
import { percentileInterval } from '../metrics/percentile.ts'
import { classOf, topClass } from '../metrics/top1.ts'

/** One label's known observations by rising score, made once and weighed anew for each resample. */
type Ranking = {
  /** Observations. */
  readonly order: Int32Array
  /** [order]: 1 where a score differs from the one before. */
  readonly startsTie: Uint8Array
  /** [order]: 1 or 0. */
  readonly positive: Uint8Array
}

export type ScoreInterval = { readonly value: number; readonly low: number; readonly high: number }

const rank = (scores: ArrayLike<number>, labels: Float32Array, count: number, label: number): Ranking => {
  const known: number[] = []
  for (let r = 0; r * count < labels.length; r++) if (!Number.isNaN(labels[r * count + label]!)) known.push(r)
  const score = (r: number): number => scores[r * count + label]!
  const order = Int32Array.from(known.sort((a, b) => score(a) - score(b)))
  return {
    order,
    startsTie: Uint8Array.from(order, (r, i) => (i === 0 || score(r) !== score(order[i - 1]!) ? 1 : 0)),
    positive: Uint8Array.from(order, (r) => (labels[r * count + label] === 1 ? 1 : 0)),
  }
}

/** AUC of observations that count `times[r]` times each; null when one class is absent. */
const weightedAuc = ({ order, startsTie, positive }: Ranking, times: Uint32Array): number | null => {
  let positives = 0
  let negatives = 0
  let wins = 0
  let tiedPositives = 0
  let tiedNegatives = 0
  const closeTie = (): void => {
    wins += tiedPositives * (negatives + tiedNegatives / 2)
    positives += tiedPositives
    negatives += tiedNegatives
    tiedPositives = 0
    tiedNegatives = 0
  }
  for (let i = 0; i < order.length; i++) {
    if (startsTie[i] === 1) closeTie()
    if (positive[i] === 1) tiedPositives += times[order[i]!]!
    else tiedNegatives += times[order[i]!]!
  }
  closeTie()
  return positives === 0 || negatives === 0 ? null : wins / (positives * negatives)
}

const meanAuc = (rankings: readonly Ranking[], times: Uint32Array): number | null => {
  const known = rankings.map((ranking) => weightedAuc(ranking, times)).filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}

export type Resampled = {
  readonly value: number
  /** The same for each resample; NaN where no label had both classes. */
  readonly resamples: readonly number[]
}

type BootstrapOptions = {
  /** Labels of an observation. */
  readonly count: number
  readonly evaluated: readonly number[]
  readonly seed: number
  readonly resamples: number
}

/** Calls `use` with how often each observation was drawn, once for each resample. Equal seeds draw equal resamples. */
const forEachResample = (
  observations: number,
  { seed, resamples }: Pick<BootstrapOptions, 'seed' | 'resamples'>,
  use: (times: Uint32Array) => void,
): void => {
  const random = randomStream(seed, 'bootstrap')
  const times = new Uint32Array(observations)
  for (let b = 0; b < resamples; b++) {
    times.fill(0)
    for (let r = 0; r < observations; r++) times[random.index(observations)]!++
    use(times)
  }
}

/**
 * Macro AUC over the labels in `evaluated`, each of which has both classes, and that of each resample.
 * scores and labels: [observations × count], row-major; NaN labels are unknown. A label that lacks a class in a
 * resample is left out of that resample's mean. Equal seeds draw equal resamples, whatever the scores are: what two
 * models have for the same observations can be paired.
 */
export const resampledMacroAuc = (
  scores: ArrayLike<number>,
  labels: Float32Array,
  options: BootstrapOptions,
): Resampled => {
  const { count, evaluated } = options
  const observations = labels.length / count
  const rankings = evaluated.map((label) => rank(scores, labels, count, label))
  const values: number[] = []
  forEachResample(observations, options, (times) => values.push(meanAuc(rankings, times) ?? Number.NaN))
  return { value: meanAuc(rankings, new Uint32Array(observations).fill(1)) ?? Number.NaN, resamples: values }
}

/**
 * The macro AUC of `resampledMacroAuc` with the 2.5 and 97.5 percentiles of its resamples. Without resamples, or when
 * none is usable, both ends are the value.
 */
export const macroAucInterval = (
  scores: ArrayLike<number>,
  labels: Float32Array,
  options: BootstrapOptions,
): ScoreInterval => {
  const { value, resamples } = resampledMacroAuc(scores, labels, options)
  return { value, ...(percentileInterval(resamples) ?? { low: value, high: value }) }
}

/**
 * Top-1 of the single-label task, and that of each resample; observations without a known class are left out.
 * logits and labels: [observations × count], row-major. Draws as `resampledMacroAuc` does.
 */
export const resampledTop1 = (
  logits: ArrayLike<number>,
  labels: Float32Array,
  options: Omit<BootstrapOptions, 'evaluated'>,
): Resampled => {
  const { count } = options
  const rows = Array.from({ length: labels.length / count }, (_, row) => row)
  const classes = rows.map((row) => classOf(labels, row, count))
  const isRight = rows.map((row) => topClass(logits, row, count) === classes[row])
  const share = (times: (row: number) => number): number => {
    let known = 0
    let right = 0
    for (const row of rows) {
      if (classes[row]! < 0) continue
      known += times(row)
      if (isRight[row]) right += times(row)
    }
    return right / known
  }
  const values: number[] = []
  forEachResample(rows.length, options, (times) => values.push(share((row) => times[row]!)))
  return { value: share(() => 1), resamples: values }
}

/** The Top-1 of `resampledTop1` with its percentiles, like `macroAucInterval`. */
export const top1Interval = (
  logits: ArrayLike<number>,
  labels: Float32Array,
  options: Omit<BootstrapOptions, 'evaluated'>,
): ScoreInterval => {
  const { value, resamples } = resampledTop1(logits, labels, options)
  return { value, ...(percentileInterval(resamples) ?? { low: value, high: value }) }
}
