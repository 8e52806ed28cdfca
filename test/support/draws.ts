/** Draws of a law against its closed forms. Tolerances follow from the number of draws, never from a guess. */
import { expect } from 'vitest'

export const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i)

export const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** Within five standard errors of an average of independent draws with this variance. */
export const expectMean = (values: readonly number[], mean: number, variance: number): void =>
  expect(Math.abs(meanOf(values) - mean)).toBeLessThanOrEqual(5 * Math.sqrt(variance / values.length))

/** The second moment about the known mean; its standard error is taken from the draws' fourth moment. */
export const expectVariance = (values: readonly number[], mean: number, variance: number): void => {
  const squares = values.map((x) => (x - mean) ** 2)
  const spread = meanOf(squares.map((x) => (x - variance) ** 2))
  expectMean(squares, variance, spread)
}

/** How often something happened. */
export const expectShare = (happened: readonly boolean[], probability: number): void =>
  expectMean(happened.map(Number), probability, probability * (1 - probability))

/** Kolmogorov–Smirnov against a distribution function without jumps: P(D > 2.69/√n) is 1e-6. */
export const expectDistribution = (values: readonly number[], cumulative: (x: number) => number): void => {
  const n = values.length
  const gaps = [...values]
    .sort((a, b) => a - b)
    .map((x, i) => Math.max((i + 1) / n - cumulative(x), cumulative(x) - i / n))
  expect(Math.max(...gaps)).toBeLessThan(2.69 / Math.sqrt(n))
}
