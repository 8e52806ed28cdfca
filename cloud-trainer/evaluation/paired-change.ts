/**
 * What changes from one model to another on the same observations: both scores, and how much of their difference is
 * chance. The paired bootstrap over observations (Efron and Tibshirani 1993, chapter 8): each resample draws observations
 * once for both models and for all subsets, so that what they share cancels.
 */
import type { Task } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import { type Resampled, resampledMacroAuc, resampledTop1 } from './bootstrap.ts'

/** Of one model on one subset. */
export type Answers = {
  /** [observations × count] */
  readonly logits: ArrayLike<number>
  /** [observations × count]; NaN is unknown, and as unknown to the other model. */
  readonly labels: Float32Array
  readonly count: number
  /** Indices of the labels that count, each with both classes. The single-label task counts every known class. */
  readonly evaluated: readonly number[]
}

export type ResampledChange = {
  /** Macro AUC, or Top-1. NaN when it could not be measured. */
  readonly before: number
  readonly after: number
  /** After − before of each resample; NaN where nothing could be measured. */
  readonly differences: readonly number[]
}

export type Change = {
  readonly before: number
  readonly after: number
  /** Ends of the simultaneous 95 % interval of after − before; NaN when there is none. */
  readonly low: number
  readonly high: number
}

export type ResampleOptions = { readonly task: Task; readonly seed: number; readonly resamples: number }

const UNMEASURED: Resampled = { value: Number.NaN, resamples: [] }

/** Changes of equal seeds and equally many observations share their resamples. */
export const resampleChange = (before: Answers, after: Answers, options: ResampleOptions): ResampledChange => {
  const observations = before.labels.length / before.count
  assert(after.labels.length / after.count === observations, 'both models answer the same observations')
  const [a, b] = [before, after].map((answers) => resampled(answers, options)) as [Resampled, Resampled]
  const count = Math.min(a.resamples.length, b.resamples.length)
  const differences = Array.from({ length: count }, (_, draw) => b.resamples[draw]! - a.resamples[draw]!)
  return { before: a.value, after: b.value, differences }
}

const resampled = (answers: Answers, { task, ...options }: ResampleOptions): Resampled => {
  const { logits, labels, count, evaluated } = answers
  // A score that is no number has no rank: a model that gives one has not been measured.
  for (let i = 0; i < labels.length; i++) if (Number.isNaN(logits[i]!)) return UNMEASURED
  if (task === 'single-label') return resampledTop1(logits, labels, { count, ...options })
  return evaluated.length === 0 ? UNMEASURED : resampledMacroAuc(logits, labels, { count, evaluated, ...options })
}

const CONFIDENCE = 0.95
/** What rounding leaves of the error of a difference that never varies. */
const NO_ERROR = 1e-12

/**
 * Intervals that hold for all of these changes at once: difference ± c · (bootstrap standard error), c being the 95 %
 * quantile of the largest |deviation| ÷ (standard error) among the changes of a resample (the single-step maxT of Westfall
 * and Young 1993). Subsets of one model move together, so this costs less than dividing the error by their number.
 * Resamples that are no number are left out; a change with more of them than others has no interval.
 */
export const simultaneousChanges = (changes: readonly ResampledChange[]): readonly Change[] => {
  const spreads = changes.map(({ differences }) => spreadOf(differences))
  const draws = Math.max(0, ...changes.map(({ differences }) => differences.length))
  const largest = Array.from({ length: draws }, (_, draw) => {
    const deviations = spreads.map(({ mean, error }, s) => Math.abs(changes[s]!.differences[draw]! - mean) / error)
    return Math.max(0, ...deviations.filter((_, s) => spreads[s]!.error > NO_ERROR && !Number.isNaN(deviations[s]!)))
  }).sort((a, b) => a - b)
  const factor = largest[Math.ceil(CONFIDENCE * draws) - 1] ?? Number.NaN
  return changes.map(({ before, after }, s) => {
    const margin = factor * spreads[s]!.error
    return { before, after, low: after - before - margin, high: after - before + margin }
  })
}

/** The error is NaN when less than half of the differences are numbers. */
const spreadOf = (differences: readonly number[]): { readonly mean: number; readonly error: number } => {
  const usable = differences.filter((difference) => !Number.isNaN(difference))
  if (usable.length === 0 || 2 * usable.length < differences.length) return { mean: Number.NaN, error: Number.NaN }
  const mean = usable.reduce((sum, it) => sum + it, 0) / usable.length
  return { mean, error: Math.sqrt(usable.reduce((sum, it) => sum + (it - mean) ** 2, 0) / usable.length) }
}
