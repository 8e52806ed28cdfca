import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { expectDistribution, expectMean, expectVariance, range } from '#test/support/draws.ts'
import { erf } from '../graph/erf.ts'
import { drawDirichlet, drawLnGamma } from './dirichlet.ts'

const DRAWS = 20_000

const vectors = (modalities: number, alpha: number): readonly (readonly number[])[] => {
  const random = randomStream(modalities, `dirichlet ${alpha}`)
  return range(DRAWS).map(() => drawDirichlet(modalities, alpha, random))
}

test.each([
  [2, 1],
  [3, 1],
  [5, 1],
  [3, 0.5],
  [4, 2.5],
])('%i modalities, α = %f: p sums to 1, with its mean, variance and covariance', (modalities, alpha) => {
  const drawn = vectors(modalities, alpha)
  for (const p of drawn) expect(p.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12)
  const mean = 1 / modalities
  const scale = modalities ** 2 * (modalities * alpha + 1)
  for (const m of [0, modalities - 1]) {
    const p = drawn.map((vector) => vector[m]!)
    expectMean(p, mean, (modalities - 1) / scale)
    expectVariance(p, mean, (modalities - 1) / scale)
  }
  const products = drawn.map(([a, b]) => (a! - mean) * (b! - mean))
  expectMean(products, -1 / scale, products.reduce((sum, x) => sum + (x + 1 / scale) ** 2, 0) / DRAWS)
})

test.each([2, 3, 5])('α = 1 and %i modalities: each p is Beta(1, M − 1)', (modalities) => {
  for (const m of [0, modalities - 1]) {
    expectDistribution(
      vectors(modalities, 1).map((p) => p[m]!),
      (x) => 1 - (1 - x) ** (modalities - 1),
    )
  }
})

test('two modalities: α = 1/2 is the arcsine law, α = 2 is Beta(2, 2)', () => {
  const first = (alpha: number): readonly number[] => vectors(2, alpha).map(([p]) => p!)
  expectDistribution(first(1 / 2), (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x)))
  expectDistribution(first(2), (x) => 3 * x ** 2 - 2 * x ** 3)
})

test('gamma variates have the laws that have a closed form', () => {
  const gammas = (shape: number): readonly number[] => {
    const random = randomStream(3, `gamma ${shape}`)
    return range(DRAWS).map(() => Math.exp(drawLnGamma(shape, random)))
  }
  expectDistribution(gammas(1), (x) => 1 - Math.exp(-x))
  expectDistribution(gammas(2), (x) => 1 - Math.exp(-x) * (1 + x))
  expectDistribution(gammas(1 / 2), (x) => erf(Math.sqrt(x)))
  for (const shape of [0.3, 7.5]) {
    const drawn = gammas(shape)
    expectMean(drawn, shape, shape)
    expectVariance(drawn, shape, shape)
  }
})

test('a tiny α hides one modality alone, a huge one all alike', () => {
  for (const p of vectors(3, 1e-4)) expect(p.every((x) => x >= 0 && x <= 1)).toBe(true)
  const whole = vectors(3, 1e-4).filter((p) => Math.max(...p) > 0.999)
  expect(whole.length).toBeGreaterThan(0.99 * DRAWS)
  expectMean(
    whole.map((p) => Number(p[0]! > 0.5)),
    1 / 3,
    2 / 9,
  )
  for (const p of vectors(3, 1e8).flat()) expect(p).toBeCloseTo(1 / 3, 3)
})
