/**
 * How well the modalities stand when there are no labels: with only m visible, L_m is the mean over the
 * other modalities of their reconstruction error, and s_m = max(1e-3, 1 − L_m). Scaled targets make the mean as an answer
 * cost about 1, so s_m is explained variance.
 */
import { FLOOR } from '../masking/imbalance.ts'
import type { Scores } from '../training/scores.ts'

/** By modality: mean squared error of its hidden tokens; null where it has none. */
export type Errors = readonly (number | null)[]

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** What one modality says of the others; the floor where there is nothing to say. A single modality needs no score. */
const explained = (errors: Errors, own: number): number => {
  if (errors.length === 1) return 1
  const others = errors.filter((error, m): error is number => m !== own && error !== null)
  return others.length === 0 ? FLOOR : Math.max(FLOOR, 1 - meanOf(others))
}

/**
 * `alone`: errors with each modality alone visible. `without`: errors with each modality alone hidden; the explained
 * variance of one by all the others is what `all` is.
 */
export const proxyScores = (
  alone: readonly Errors[],
  without: readonly Errors[],
): Scores & { readonly selection: number } => {
  const single = alone.map(explained)
  const missed = without.flatMap((errors, m) => (errors[m] === null ? [] : [errors[m]!]))
  const all = missed.length === 0 || single.length === 1 ? 1 : 1 - meanOf(missed)
  return { single, all, selection: meanOf(single) }
}
