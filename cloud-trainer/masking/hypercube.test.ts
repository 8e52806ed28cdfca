/** The sampler against closed forms (method, section 12). Tolerances are five standard errors of the stated draws. */
import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { expectDistribution, expectMean, expectShare, expectVariance, meanOf, range } from '#test/support/draws.ts'
import { DEFAULT_CORNER_MASS, drawCorner, drawHypercube } from './hypercube.ts'

const KAPPA = 10
const DRAWS = 40_000

/** The moments of p at w: μ = P(c = 1) mixes Beta(1, κ/w) and Beta(κw, 1). */
const mean = (w: number, pi = 0.5, kappa = KAPPA): number =>
  ((1 - pi) * w) / (w + kappa) + (pi * kappa * w) / (1 + kappa * w)
const secondMoment = (w: number, pi = 0.5, kappa = KAPPA): number => {
  const beta = kappa / w
  return (1 - pi) * (2 / ((1 + beta) * (2 + beta))) + pi * ((kappa * w) / (kappa * w + 2))
}
const variance = (w: number, pi = 0.5, kappa = KAPPA): number => secondMoment(w, pi, kappa) - mean(w, pi, kappa) ** 2
const distribution = (p: number, w: number, pi = 0.5): number =>
  (1 - pi) * (1 - (1 - p) ** (KAPPA / w)) + pi * p ** (KAPPA * w)

const corners = (
  modalities: number,
  singleToken: boolean,
  cornerMass = DEFAULT_CORNER_MASS,
): readonly (readonly boolean[])[] => {
  const { uniform } = randomStream(modalities, singleToken ? 'single' : 'standard')
  return range(DRAWS).map(() => drawCorner(modalities, { cornerMass, singleToken }, uniform))
}

const vectors = (
  lnW: readonly number[],
  { kappa = KAPPA, singleToken = false, cornerMass = DEFAULT_CORNER_MASS } = {},
) => {
  const { uniform } = randomStream(1, 'vectors')
  return range(DRAWS).map(() => drawHypercube(lnW, { kappa, cornerMass, singleToken }, uniform))
}

/** Shares of the draws against probabilities. */
const expectShares = (counts: ReadonlyMap<string, number>, expected: Readonly<Record<string, number>>): void => {
  for (const [key, probability] of Object.entries(expected)) {
    const share = (counts.get(key) ?? 0) / DRAWS
    const error = Math.sqrt((probability * (1 - probability)) / DRAWS)
    expect(Math.abs(share - probability), key).toBeLessThanOrEqual(5 * error)
  }
  expect([...counts.keys()].filter((key) => !(key in expected))).toEqual([])
}

const counted = (drawn: readonly (readonly boolean[])[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const bits of drawn) {
    const key = bits.map(Number).join('')
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

test('a quarter of the corners shows all, a quarter hides all, and the rest is shared by the others', () => {
  const others = Object.fromEntries(range(6).map((i) => [(i + 1).toString(2).padStart(3, '0'), 1 / 12]))
  expectShares(counted(corners(3, false)), { '000': 1 / 4, '111': 1 / 4, ...others })
  expectShares(counted(corners(3, true)), { '000': 1 / 2, '111': 0, ...others })
  expectShares(counted(corners(2, false)), { '00': 1 / 4, '01': 1 / 4, '10': 1 / 4, '11': 1 / 4 })
})

test('one modality has two corners, and with one token it is always shown', () => {
  expectShares(counted(corners(1, false)), { '0': 1 / 2, '1': 1 / 2 })
  expectShares(counted(corners(1, true)), { '0': 1, '1': 0 })
})

test('another mass of the two corners where all agree leaves the rest to the others', () => {
  const shares = (agreeing: number): Readonly<Record<string, number>> =>
    Object.fromEntries(range(6).map((i) => [(i + 1).toString(2).padStart(3, '0'), (1 - 2 * agreeing) / 6]))
  for (const mass of [0, 0.1, 1 / 8, 0.4, 1 / 2]) {
    expectShares(counted(corners(3, false, mass)), { '000': mass, '111': mass, ...shares(mass) })
    expectShares(counted(corners(3, true, mass)), { '000': 2 * mass, '111': 0, ...shares(mass) })
  }
  // 2^−M is the code's law without weights: all corners alike.
  expect(shares(1 / 8)['101']).toBe(1 / 8)
  expectShares(counted(corners(1, false, 0)), { '0': 1 / 2, '1': 1 / 2 })
})

test.each([
  [2, 1 / 4, 0],
  [3, 1 / 3, 1 / 3],
  [4, 5 / 14, 3 / 7],
  [5, 11 / 30, 7 / 15],
])('corners of %i modalities: pairs hidden with %f, correlated with %f', (modalities, pair, correlation) => {
  const drawn = corners(modalities, false)
  const first = drawn.map((bits) => Number(bits[0]))
  const both = drawn.map((bits) => Number(bits[0] && bits[1]))
  expectMean(first, 1 / 2, 1 / 4)
  expectMean(both, pair, pair * (1 - pair))
  expect((pair - 1 / 4) / (1 / 4)).toBeCloseTo(correlation, 12)
})

test('with single tokens a modality is hidden in a quarter of the corners, a pair as worked out', () => {
  for (const [modalities, pair] of [
    [3, 1 / 12],
    [5, 7 / 60],
  ] as const) {
    const drawn = corners(modalities, true)
    expectMean(
      drawn.map((bits) => Number(bits[1])),
      1 / 4,
      3 / 16,
    )
    expectMean(
      drawn.map((bits) => Number(bits[1] && bits[2])),
      pair,
      pair * (1 - pair),
    )
  }
})

/** w and E[p] of the table of means, standard and with single tokens, at κ = 10. */
const MEANS = [
  [0.25, 0.369338, 0.196864],
  [0.015625, 0.068348, 0.034954],
  [0.5, 0.440476, 0.244048],
  [0.125, 0.283951, 0.148148],
  [0.8, 0.481481, 0.277778],
  [0.512, 0.442654, 0.24568],
  [1, 0.5, 0.295455],
  [1.25, 0.518519, 0.314815],
  [1.953125, 0.557346, 0.360372],
  [1.5, 0.533967, 0.332201],
  [3.375, 0.61178, 0.432058],
  [2, 0.559524, 0.363095],
  [8, 0.716049, 0.580247],
  [4, 0.630662, 0.458188],
  [64, 0.931652, 0.898259],
] as const

test('the closed forms of this test are those of the table', () => {
  for (const [w, standard, single] of MEANS) {
    expect(mean(w)).toBeCloseTo(standard, 6)
    expect(mean(w, 1 / 4)).toBeCloseTo(single, 6)
  }
  for (const kappa of [1, 5, 10, 20]) {
    expect(variance(1, 0.5, kappa)).toBeCloseTo((kappa ** 2 - kappa + 2) / (4 * (kappa + 1) * (kappa + 2)), 12)
  }
  expect(variance(1, 0.5, 1)).toBeCloseTo(1 / 12, 12)
  expect(variance(1, 0.5, 5)).toBeCloseTo(0.130952, 6)
  expect(variance(1)).toBeCloseTo(0.174242, 6)
  expect(variance(1, 0.5, 20)).toBeCloseTo(0.20671, 6)
  expect([variance(2), variance(1 / 2), variance(8), variance(1 / 8)].map((v) => v.toFixed(6))).toEqual([
    '0.165288',
    '0.165288',
    '0.111830',
    '0.111830',
  ])
  expect(variance(1, 1 / 4)).toBeCloseTo(0.132404, 6)
  expect([0.1, 0.5].map((p) => distribution(p, 1).toFixed(6))).toEqual(['0.325661', '0.500000'])
  expect([0.1, 0.5].map((p) => distribution(p, 2).toFixed(6))).toEqual(['0.204755', '0.484375'])
  expect([0.1, 0.5].map((p) => distribution(p, 8).toFixed(6))).toEqual(['0.061698', '0.289776'])
})

test.each(MEANS)('w = %f: p has its mean, variance and distribution', (w) => {
  for (const singleToken of [false, true]) {
    const pi = singleToken ? 1 / 4 : 1 / 2
    const p = vectors([Math.log(w), 0, -Math.log(w)], { singleToken }).map(([first]) => first!)
    expectMean(p, mean(w, pi), variance(w, pi))
    expectVariance(p, mean(w, pi), variance(w, pi))
    expectDistribution(p, (x) => distribution(x, w, pi))
  }
})

test.each([
  [2, 0],
  [3, 1 / 12],
  [5, 7 / 60],
])('covariance of %i modalities', (modalities, cornerCovariance) => {
  const lnW = range(modalities).map((m) => (m === 0 ? Math.log(2) : 0))
  const delta = (w: number): number => (KAPPA * w) / (1 + KAPPA * w) - w / (w + KAPPA)
  const products = vectors(lnW).map(([a, b]) => (a! - mean(2)) * (b! - mean(1)))
  const covariance = cornerCovariance * delta(2) * delta(1)
  expectMean(products, covariance, meanOf(products.map((x) => (x - covariance) ** 2)))
  if (modalities === 3) {
    expect(cornerCovariance * delta(1) ** 2).toBeCloseTo(0.0557851, 6)
    expect((cornerCovariance * delta(1) ** 2) / variance(1)).toBeCloseTo(0.320158, 6)
  }
})

test.each([
  { singleToken: false, cornerMass: 1 / 4 },
  { singleToken: true, cornerMass: 1 / 4 },
  { singleToken: false, cornerMass: 0.05 },
])('κ = 1 and w = 1 is uniform and independent whatever the corners are: $cornerMass, $singleToken', (options) => {
  const flat = vectors([0, 0, 0], { ...options, kappa: 1 })
  for (const m of [0, 2]) {
    const p = flat.map((vector) => vector[m]!)
    expectDistribution(p, (x) => x)
    expectMean(p, 1 / 2, 1 / 12)
  }
  expectMean(
    flat.map(([a, b]) => (a! - 1 / 2) * (b! - 1 / 2)),
    0,
    1 / 144,
  )
})

test('a large κ is corners alone: modality dropout at 1/2 whose modalities go together', () => {
  const sharp = vectors([0, 0, 0], { kappa: 1e9 })
  expect(sharp.flat().filter((p) => p > 1e-6 && p < 1 - 1e-6)).toEqual([])
  expectShare(
    sharp.map(([a]) => a! > 0.5),
    1 / 2,
  )
  expectShare(
    sharp.map(([a, b]) => a! > 0.5 && b! > 0.5),
    1 / 3,
  )
})

test('p at w has the law of 1 − p at 1/w', () => {
  expectDistribution(
    vectors([-Math.log(3), 0, 0]).map(([p]) => 1 - p!),
    (p) => distribution(p, 3),
  )
  for (const w of [1.5, 3, 8, 64]) expect(mean(1 / w)).toBeCloseTo(1 - mean(w), 12)
})

test('the mean rises with w, and so does the whole distribution', () => {
  const grid = range(60).map((i) => Math.exp((i - 30) / 5))
  for (const [i, w] of grid.slice(1).entries()) {
    expect(mean(w)).toBeGreaterThan(mean(grid[i]!))
    for (const p of [0.01, 0.3, 0.7, 0.99]) expect(distribution(p, w)).toBeLessThan(distribution(p, grid[i]!))
  }
  const slope = (mean(Math.exp(1e-4)) - mean(Math.exp(-1e-4))) / 2e-4
  expect(slope).toBeCloseTo(KAPPA / (1 + KAPPA) ** 2, 6)
})

test('every cell of a coarse grid and every pattern of signs is hit', () => {
  const cells = (drawn: readonly (readonly number[])[], perAxis: number): number =>
    new Set(drawn.map((p) => p.map((x) => Math.floor(perAxis * x)).join())).size
  expect(cells(vectors([0.5, -0.5]), 4)).toBe(4 ** 2)
  expect(cells(vectors([0, 0, 0], { kappa: 5 }), 3)).toBe(3 ** 3)
  expect(new Set(vectors([0.5, 0, -0.5]).map((p) => p.map((x) => Number(x > 0.5)).join())).size).toBe(2 ** 3)
  const single = vectors([0, 0, 0, 0, 0], { singleToken: true })
  expect(new Set(single.map((p) => p.map((x) => Number(x > 0.5)).join())).size).toBe(2 ** 5)
})
