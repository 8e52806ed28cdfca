/** Figures of repeated, alternating measurements. */

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export type Spread = { readonly median: number; readonly least: number; readonly most: number }

export const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  least: Math.min(...values),
  most: Math.max(...values),
})

/** Ratios of what was measured in the same round: a load that comes and goes then hits both sides. */
export const pairedRatios = (above: readonly number[], below: readonly number[]): Spread =>
  spread(above.map((value, round) => value / below[round]!))
