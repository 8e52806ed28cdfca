import { expect, test } from 'vitest'
import { randomFromState, randomStream } from '#shared/std/random.ts'
import { expectDistribution, expectMean, expectShare, range } from '#test/support/draws.ts'
import { comparableParameters, openStrategy, refusalOf, type StrategyOptions } from './strategy.ts'

const TOKENS = [6, 3, 2]
const DRAWS = 20_000

const draws = (options: StrategyOptions, count: number, tokens = TOKENS) => {
  const strategy = openStrategy(options, tokens)
  const random = randomStream(11, options.name)
  return Array.from({ length: count }, () => strategy.draw(random))
}

test('every parameter is written out, defaults too', () => {
  expect(openStrategy({ name: 'miam', lambdaSpeed: 0 }, TOKENS).parameters).toEqual({
    name: 'miam',
    kappa: 10,
    lambdaScore: 1,
    lambdaSpeed: 0,
    cornerMass: 0.25,
    smoothing: 0,
  })
  const written = (options: StrategyOptions) => openStrategy(options, TOKENS).parameters
  expect(written({ name: 'beta-hypercube' })).toEqual({ name: 'beta-hypercube', kappa: 10, cornerMass: 0.25 })
  expect(written({ name: 'uniform-hypercube' })).toEqual({ name: 'uniform-hypercube' })
  expect(written({ name: 'uniform' })).toEqual({ name: 'uniform' })
  expect(written({ name: 'constant' })).toEqual({ name: 'constant', rate: 0.75 })
  expect(written({ name: 'dirichlet' })).toEqual({ name: 'dirichlet', alpha: 1 })
  expect(written({ name: 'dropout' })).toEqual({ name: 'dropout', rate: 0.1 })
  expect(written({ name: 'opm' })).toEqual({ name: 'opm', rate: 0.5, lambda: 0.5 })
  expect(written({ name: 'none' })).toEqual({ name: 'none' })
})

test('whose draws they are is a parameter only where each observation has its own', () => {
  const own = openStrategy({ name: 'dropout', rate: 0.5, draws: 'observation' }, TOKENS)
  expect(own.parameters).toEqual({ name: 'dropout', rate: 0.5, draws: 'observation' })
  const shared = openStrategy({ name: 'dropout', rate: 0.5, draws: 'batch' }, TOKENS)
  expect(shared.parameters).toEqual({ name: 'dropout', rate: 0.5 })
  const streams = range(3).map(() => randomStream(9, 'whose'))
  expect(own.drawFor(40, streams[0]!)).toEqual(range(40).map(() => own.draw(streams[2]!)))
  const [first, ...others] = shared.drawFor(40, streams[1]!)
  expect(others.every((p) => p === first)).toBe(true)
  expect(own.drawFor(40, streams[0]!)[0]).not.toBe(first)
})

test('records are compared with what was once built in, and without the reason', () => {
  const recorded = { name: 'miam', kappa: 10, lambdaScore: 1, lambdaSpeed: 1 }
  expect(comparableParameters(recorded)).toEqual(openStrategy({ name: 'miam' }, TOKENS).parameters)
  expect(comparableParameters({ ...recorded, smoothing: 0.5 })).toMatchObject({ smoothing: 0.5, cornerMass: 0.25 })
  expect(comparableParameters({ name: 'uniform' })).toEqual({ name: 'uniform' })
  const { because: _, ...chosen } = openStrategy({ name: 'auto' }, TOKENS).parameters
  expect(comparableParameters({ ...chosen, because: 'another version says so' })).toEqual(chosen)
})

test('uniform shares one number', () => {
  const drawn = draws({ name: 'uniform' }, DRAWS)
  expect(drawn.every((p) => p.length === 3 && p.every((x) => x === p[0]))).toBe(true)
  expectDistribution(
    drawn.map(([p]) => p!),
    (x) => x,
  )
})

test('the uniform hypercube draws each number alone', () => {
  const drawn = draws({ name: 'uniform-hypercube' }, DRAWS)
  for (const m of range(3)) {
    expectDistribution(
      drawn.map((p) => p[m]!),
      (x) => x,
    )
  }
  for (const [a, b] of [
    [0, 1],
    [1, 2],
  ] as const) {
    expectMean(
      drawn.map((p) => (p[a]! - 1 / 2) * (p[b]! - 1 / 2)),
      0,
      1 / 144,
    )
  }
  expect(new Set(drawn.map((p) => p.map((x) => Math.floor(3 * x)).join())).size).toBe(3 ** 3)
})

test('dropout hides whole modalities, each for itself', () => {
  const rate = 0.3
  const dropped = draws({ name: 'dropout', rate }, DRAWS)
  expect(new Set(dropped.flat())).toEqual(new Set([0, 1]))
  for (const m of range(3)) {
    expectShare(
      dropped.map((p) => p[m] === 1),
      rate,
    )
  }
  expectShare(
    dropped.map((p) => p[0] === 1 && p[2] === 1),
    rate ** 2,
  )
  expectShare(
    dropped.map((p) => p.every((x) => x === 1)),
    rate ** 3,
  )
})

test('constant and none always give the same', () => {
  expect(draws({ name: 'constant' }, 2)).toEqual([
    [0.75, 0.75, 0.75],
    [0.75, 0.75, 0.75],
  ])
  expect(draws({ name: 'constant', rate: 0.2 }, 1)).toEqual([[0.2, 0.2, 0.2]])
  expect(draws({ name: 'none' }, 1)).toEqual([[0, 0, 0]])
})

test('Dirichlet sums to 1 and is refused for one modality, where it would hide everything', () => {
  for (const p of draws({ name: 'dirichlet', alpha: 0.7 }, 1_000)) {
    expect(p.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12)
  }
  expect(refusalOf({ name: 'dirichlet' }, 1)).toContain('single modality')
  expect(refusalOf({ name: 'dirichlet' }, 2)).toBeNull()
  expect(refusalOf({ name: 'miam' }, 1)).toBeNull()
  expect(() => openStrategy({ name: 'dirichlet' }, [4])).toThrow('single modality')
})

test('OPM holds p at its base rate until there are scores, and then hides what is strong as a whole', () => {
  const strategy = openStrategy({ name: 'opm' }, TOKENS)
  const random = randomStream(2, 'opm')
  expect(strategy.draw(random)).toEqual([0.5, 0.5, 0.5])
  strategy.scored([0.2, 0.8, 0.55])
  strategy.scored([0.9, 0.8, 0.55])
  const drawn = range(DRAWS).map(() => strategy.draw(random))
  expect(new Set(drawn.flat())).toEqual(new Set([0, 1]))
  for (const [m, rate] of [0.590825, 0.542512, 0].entries()) {
    expectShare(
      drawn.map((p) => p[m] === 1),
      rate,
    )
  }
  expectShare(
    drawn.map((p) => p[0] === 1 && p[1] === 1),
    0.590825 * 0.542512,
  )
  strategy.scored([0.7, 0.7, 0.7])
  expect(range(50).flatMap(() => strategy.draw(random))).not.toContain(1)
})

test('λ = 0 is the Beta hypercube, whatever the scores; κ and the corner mass act in both', () => {
  const shape = { kappa: 4, cornerMass: 0.1 }
  const still = openStrategy({ name: 'miam', lambdaScore: 0, lambdaSpeed: 0, ...shape }, TOKENS)
  still.scored([0.9, 0.5, 0.6])
  still.scored([0.8, 0.7, 0.6])
  const [one, other] = [randomStream(6, 'still'), randomStream(6, 'still')]
  const hypercube = openStrategy({ name: 'beta-hypercube', ...shape }, TOKENS)
  hypercube.scored([0.9, 0.5, 0.6])
  expect(range(200).map(() => still.draw(one))).toEqual(range(200).map(() => hypercube.draw(other)))
  // At κ → ∞ p is the corner.
  const agreeing = draws({ name: 'beta-hypercube', kappa: 1e9, cornerMass: 0.1 }, DRAWS)
  expectShare(
    agreeing.map((p) => p.every((x) => x > 0.5) || p.every((x) => x < 0.5)),
    0.2,
  )
})

test('smoothing halves what one epoch changes', () => {
  const plain = openStrategy({ name: 'miam' }, TOKENS)
  const smooth = openStrategy({ name: 'miam', smoothing: 0.5 }, TOKENS)
  for (const strategy of [plain, smooth]) {
    strategy.scored([0.8, 0.7, 0.6])
    strategy.scored([0.84, 0.71, 0.52])
  }
  expect(smooth.state().last!.map((s) => s.toFixed(6))).toEqual(['0.820000', '0.705000', '0.560000'])
  // All speeds are halved alike, so only the scores lean otherwise.
  expect(smooth.imbalance()!.speedRatio.map((r) => r.toFixed(9))).toEqual(
    plain.imbalance()!.speedRatio.map((r) => r.toFixed(9)),
  )
  expect(smooth.imbalance()!.scoreRatio).not.toEqual(plain.imbalance()!.scoreRatio)
})

test('only a model of single tokens never draws the corner that hides all', () => {
  const hidesAll = (tokens: readonly number[]) =>
    draws({ name: 'miam', kappa: 1e9 }, 2_000, [...tokens]).some((p) => p.every((x) => x > 0.5))
  expect(hidesAll([1, 1, 1])).toBe(false)
  expect(hidesAll([2, 1, 1])).toBe(true)
})

test('scores lean the masks: the strong and idle modality is hidden more', () => {
  const strategy = openStrategy({ name: 'miam' }, TOKENS)
  expect(strategy.imbalance()?.lnW).toEqual([0, 0, 0])
  strategy.scored([0.919, 0.876, 0.68])
  strategy.scored([0.92, 0.88, 0.7])
  expect(strategy.imbalance()?.lnW.map((ln) => ln.toFixed(3))).toEqual(['1.567', '0.136', '-1.702'])
  const random = randomStream(3, 'lean')
  const sums = [0, 0, 0]
  const n = 20_000
  for (let i = 0; i < n; i++) for (const [m, p] of strategy.draw(random).entries()) sums[m]! += p
  // The variance of p is below 0.175 for every w at κ = 10.
  for (const [m, expected] of [0.651716, 0.511244, 0.331794].entries()) {
    expect(Math.abs(sums[m]! / n - expected)).toBeLessThan(5 * Math.sqrt(0.175 / n))
  }
})

test.each<StrategyOptions>([
  { name: 'miam' },
  { name: 'miam', smoothing: 0.5 },
  { name: 'beta-hypercube' },
  { name: 'dirichlet', alpha: 0.5 },
  { name: 'opm' },
])('the state of $name, smoothing $smoothing, and of its stream continue with the same draws', (options) => {
  const whole = openStrategy(options, TOKENS)
  const random = randomStream(5, 'whole')
  whole.scored([0.8, 0.7, 0.6])
  whole.draw(random)
  whole.scored([0.83, 0.71, 0.6])
  const resumed = openStrategy(options, TOKENS, JSON.parse(JSON.stringify(whole.state())))
  const copy = randomFromState(random.state())
  const next = (strategy: typeof whole, stream: typeof random) => {
    const first = range(20).map(() => strategy.draw(stream))
    strategy.scored([0.7, 0.72, 0.61])
    return [...first, ...range(20).map(() => strategy.draw(stream))]
  }
  expect(next(resumed, copy)).toEqual(next(whole, random))
})

test('parameters out of range are refused', () => {
  expect(() => openStrategy({ name: 'miam', kappa: 0 }, TOKENS)).toThrow('kappa')
  expect(() => openStrategy({ name: 'miam', lambdaScore: -1 }, TOKENS)).toThrow('lambdas')
  for (const name of ['dropout', 'constant', 'opm'] as const) {
    expect(() => openStrategy({ name, rate: 1.2 }, TOKENS)).toThrow('probability')
  }
  expect(() => openStrategy({ name: 'beta-hypercube', cornerMass: 0.6 }, TOKENS)).toThrow('corner mass')
  expect(() => openStrategy({ name: 'miam', smoothing: 1 }, TOKENS)).toThrow('smoothing')
  expect(() => openStrategy({ name: 'dirichlet', alpha: 0 }, TOKENS)).toThrow('alpha')
  expect(() => openStrategy({ name: 'opm', lambda: -1 }, TOKENS)).toThrow('lambda')
})
