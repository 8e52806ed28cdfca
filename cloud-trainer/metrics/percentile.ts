/** What the resamples of a bootstrap say (Efron and Tibshirani 1993, chapter 13). */

/** Linear between order statistics (Hyndman and Fan 1996, type 7). `sorted` rises. */
const quantile = (sorted: readonly number[], q: number): number => {
  const at = q * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!)
}

/** The 2.5 and 97.5 percentiles of resamples, NaN ones left out; null when none is left. */
export const percentileInterval = (
  resamples: readonly number[],
): { readonly low: number; readonly high: number } | null => {
  const usable = resamples.filter((drawn) => !Number.isNaN(drawn)).sort((a, b) => a - b)
  return usable.length === 0 ? null : { low: quantile(usable, 0.025), high: quantile(usable, 0.975) }
}
