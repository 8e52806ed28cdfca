/** From the scores of single modalities to the weights w_m that lean the masking against strong and idle ones. */
import { assert } from '#shared/std/assert.ts'

/**
 * Scores s_m (fractions, 0 to 1) of the last two epochs, smoothed where a strategy smooths; null where there was none.
 * It is all that strategies remember.
 */
export type ScoreHistory = {
  readonly previous: readonly number[] | null
  readonly last: readonly number[] | null
}

export const NO_SCORES: ScoreHistory = { previous: null, last: null }

export type ImbalanceOptions = {
  /** Exponents of the two ratios; 0 turns one off. */
  readonly lambdaScore: number
  readonly lambdaSpeed: number
}

/** Each list by modality. All ones, zeros and false before there are scores. */
export type Imbalance = {
  /** ρ_s,m = s_m / (Π_j s_j)^(1/M): more than 1 is stronger than the others. */
  readonly scoreRatio: readonly number[]
  /** ρ_d,m, the same of d_m = |s_m(t) − s_m(t−1)|: more than 1 changes faster than the others. */
  readonly speedRatio: readonly number[]
  /** ln w_m = λ_s·ln ρ_s,m − λ_d·ln ρ_d,m. */
  readonly lnW: readonly number[]
  /** Where a limit was active: the score or the speed stood below its floor, or ln w beyond the clamp. */
  readonly scoreFloored: readonly boolean[]
  readonly speedFloored: readonly boolean[]
  readonly clamped: readonly boolean[]
}

/** A tenth of a point, about the smallest change of a score that is not noise. One score that repeats would else make w infinite. */
export const FLOOR = 1e-3
/** w = 1000 at κ = 10 hides practically always; more changes nothing but risks infinities. */
export const LN_W_LIMIT = Math.log(1000)

/** `smoothing` a: what is remembered is a·s(t−1) + (1 − a)·s(t), starting at the first score; 0 remembers the scores. */
export const withScores = (history: ScoreHistory, scores: readonly number[], smoothing = 0): ScoreHistory => {
  assert(scores.every(Number.isFinite), 'scores are finite', { scores })
  const { last } = history
  return { previous: last, last: last ? scores.map((s, m) => smoothing * last[m]! + (1 - smoothing) * s) : scores }
}

/** ln of each value over the geometric mean of all, in the log domain: no product under- or overflows. */
const lnRatios = (values: readonly number[]): readonly number[] => {
  const logs = values.map(Math.log)
  const mean = logs.reduce((sum, ln) => sum + ln, 0) / logs.length
  return logs.map((ln) => ln - mean)
}

const floored = (values: readonly number[] | null, modalities: number) => {
  const raised = values?.map((value) => Math.max(value, FLOOR)) ?? new Array<number>(modalities).fill(1)
  return {
    ln: lnRatios(raised),
    below: Array.from({ length: modalities }, (_, m) => values !== null && values[m]! < FLOOR),
  }
}

/** A ratio that does not exist yet is 1: without scores w = 1, after one epoch the score acts alone, then both. */
export const imbalanceOf = (history: ScoreHistory, options: ImbalanceOptions, modalities: number): Imbalance => {
  const { previous, last } = history
  const score = floored(last, modalities)
  const speeds = previous && last ? last.map((s, m) => Math.abs(s - previous[m]!)) : null
  const speed = floored(speeds, modalities)
  const free = score.ln.map((ln, m) => options.lambdaScore * ln - options.lambdaSpeed * speed.ln[m]!)
  return {
    scoreRatio: score.ln.map(Math.exp),
    speedRatio: speed.ln.map(Math.exp),
    lnW: free.map((ln) => Math.min(Math.max(ln, -LN_W_LIMIT), LN_W_LIMIT)),
    scoreFloored: score.below,
    speedFloored: speed.below,
    clamped: free.map((ln) => Math.abs(ln) > LN_W_LIMIT),
  }
}
