import { expect, test } from 'vitest'
import { randomFromState, randomStream } from '#shared/std/random.ts'
import { openStrategy, type StrategyOptions } from './strategy.ts'

const TOKENS = [6, 3, 2]
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
  expect(openStrategy({ name: 'dropout' }, TOKENS).parameters).toEqual({ name: 'dropout', rate: 0.1 })
  expect(openStrategy({ name: 'uniform' }, TOKENS).parameters).toEqual({ name: 'uniform' })
})

test('uniform shares one number, dropout hides whole modalities, none hides nothing', () => {
  const n = 20_000
  const uniform = draws({ name: 'uniform' }, n)
  expect(uniform.every((p) => p.length === 3 && p.every((x) => x === p[0]))).toBe(true)
  const mean = uniform.reduce((sum, p) => sum + p[0]!, 0) / n
  expect(Math.abs(mean - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / n))
  const rate = 0.3
  const dropped = draws({ name: 'dropout', rate }, n)
  expect(new Set(dropped.flat())).toEqual(new Set([0, 1]))
  const whole = dropped.filter((p) => p.every((x) => x === 1)).length / n
  expect(Math.abs(whole - rate ** 3)).toBeLessThan(5 * Math.sqrt((rate ** 3 * (1 - rate ** 3)) / n))
  expect(draws({ name: 'none' }, 3)).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ])
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

test('its state and the state of its stream continue with the same draws', () => {
  const whole = openStrategy({ name: 'miam' }, TOKENS)
  const random = randomStream(5, 'whole')
  whole.scored([0.8, 0.7, 0.6])
  whole.draw(random)
  whole.scored([0.83, 0.71, 0.6])
  const resumed = openStrategy({ name: 'miam' }, TOKENS, structuredClone(whole.state()))
  const copy = randomFromState(random.state())
  expect(Array.from({ length: 20 }, () => resumed.draw(copy))).toEqual(
    Array.from({ length: 20 }, () => whole.draw(random)),
  )
})

test('parameters out of range are refused', () => {
  expect(() => openStrategy({ name: 'miam', kappa: 0 }, TOKENS)).toThrow('kappa')
  expect(() => openStrategy({ name: 'miam', lambdaScore: -1 }, TOKENS)).toThrow('lambdas')
  expect(() => openStrategy({ name: 'dropout', rate: 1.2 }, TOKENS)).toThrow('probability')
})
