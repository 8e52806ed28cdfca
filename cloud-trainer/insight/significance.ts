/** Which differences between paired scores are more than chance. Pure. */

/**
 * Two-sided p of "the difference is 0" from a paired bootstrap: twice the share of resampled differences on the other side
 * of 0, which inverts the percentile interval (Efron and Tibshirani 1993, section 15.4), counted as (1 + n) / (1 + B) so
 * that it is never 0 (Davison and Hinkley 1997, section 4.2). NaN differences are left out; 1 when none is left.
 */
export const bootstrapP = (differences: readonly number[]): number => {
  const usable = differences.filter((value) => !Number.isNaN(value))
  const below = usable.filter((value) => value <= 0).length
  const above = usable.filter((value) => value >= 0).length
  return Math.min(1, (2 * (1 + Math.min(below, above))) / (1 + usable.length))
}

/**
 * p values adjusted for their number, in the given order (Holm 1979): those up to α can all be believed with the chance α
 * of a single mistake, however they depend on one another.
 */
export const holm = (pValues: readonly number[]): readonly number[] => {
  const adjusted = new Array<number>(pValues.length)
  let highest = 0
  for (const [rank, i] of pValues
    .map((_, i) => i)
    .sort((a, b) => pValues[a]! - pValues[b]!)
    .entries()) {
    highest = Math.max(highest, Math.min(1, (pValues.length - rank) * pValues[i]!))
    adjusted[i] = highest
  }
  return adjusted
}

/** Fewest resamples with which the strongest of so many differences can reach `alpha` after Holm's adjustment. */
export const fewestResamples = (differences: number, alpha: number): number =>
  Math.max(0, Math.ceil((2 * differences) / alpha - 1 - 1e-9))
