import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { defaultModelConfig } from '../model/config.ts'
import { DEFAULT_TRAINING } from '../training/train.ts'
import { measureAnyToAny } from './any-to-any.ts'
import { openLinearGuess } from './linear-guess.ts'
import { pretrain } from './pretrain.ts'
import { ridge, sumProducts } from './ridge.ts'

test('ridge regression is where the slope of its objective is zero', () => {
  const random = randomStream(3, 'ridge')
  const rows = Array.from({ length: 40 }, () =>
    Float64Array.from({ length: 6 }, (_, i) => (i === 0 ? 1 : random.normal())),
  )
  const [inputs, outputs, penalty] = [[0, 2, 3, 5], [1, 4], 0.3]
  const b = ridge(sumProducts(6, rows), inputs, outputs, penalty)
  const objective = (at: Float64Array): number => {
    let sum = 0
    for (const row of rows) {
      for (const [o, output] of outputs.entries()) {
        const guess = inputs.reduce((total, input, i) => total + row[input]! * at[i * outputs.length + o]!, 0)
        sum += (guess - row[output]!) ** 2
      }
    }
    // The constant, the first input, is free.
    for (let i = outputs.length; i < at.length; i++) sum += rows.length * penalty * at[i]! ** 2
    return sum
  }
  for (let i = 0; i < b.length; i++) {
    const moved = (step: number) => b.map((x, j) => (j === i ? x + step : x))
    expect(Math.abs(objective(moved(1e-4)) - objective(moved(-1e-4))) / 2e-4).toBeLessThan(1e-6)
  }
  // Without a penalty to speak of, an exact relation is found.
  const exact = rows.map((row) => Float64Array.of(1, row[1]!, 3 - 2 * row[1]!))
  const found = ridge(sumProducts(3, exact), [0, 1], [2], 1e-12)
  expect(found[0]).toBeCloseTo(3, 6)
  expect(found[1]).toBeCloseTo(-2, 6)
})

test('a missing modality is predicted from others, beside mean and ridge, on rows that were held out', async () => {
  const set = exampleTrainingSet({
    modalities: [
      { name: 'weather', tokens: 3, noise: 0.1 },
      { name: 'sound', tokens: 3, noise: 0.1, missing: 0.3 },
      { name: 'noise', tokens: 2, noise: 30 },
    ],
    labels: 3,
    train: 400,
    validation: 200,
    seed: 5,
  })
  const config = { ...defaultModelConfig(1), width: 16, layers: 2, heads: 2, feedForward: 32, frequencies: 8 }
  const made = await pretrain({
    ...DEFAULT_TRAINING,
    set,
    config,
    strategy: { name: 'uniform' },
    seed: 1,
    epochs: 20,
    batchSize: 32,
    learningRate: 1e-2,
    warmupSteps: 10,
    workers: 1,
    folder: null,
  })
  const { part, observations, entries } = await measureAnyToAny(made, set)
  expect([part, observations]).toEqual(['validation', 200])
  const pairs = entries.map(({ from, to }) => `${from} → ${to}`)
  expect(pairs).toEqual([
    'weather → sound',
    'weather → noise',
    'sound → weather',
    'sound → noise',
    'noise → weather',
    'noise → sound',
    'weather+sound → noise',
    'weather+noise → sound',
    'sound+noise → weather',
  ])
  const of = (pair: string) => entries[pairs.indexOf(pair)]!
  for (const { mean } of entries) expect(Math.abs(mean - 1)).toBeLessThan(0.3)
  // Noise of deviation 0.1 on either side of a factor of deviation 1: 1 − 1/1.01² of the variance is left to a linear guess.
  expect(of('weather → sound').ridge! / of('weather → sound').mean).toBeCloseTo(1 - 1 / 1.01 ** 2, 1)
  expect(of('weather → sound').model / of('weather → sound').mean).toBeLessThan(0.7)
  // A row without sound says nothing of the weather: three tenths stay as they are.
  expect(of('sound → weather').ridge! / of('sound → weather').mean).toBeGreaterThan(0.25)
  expect(of('sound → weather').model / of('sound → weather').mean).toBeLessThan(0.8)
  // Nothing can be said of noise, or by it.
  for (const pair of ['weather → noise', 'noise → weather', 'weather+sound → noise']) {
    expect(of(pair).ridge! / of(pair).mean).toBeGreaterThan(0.9)
    expect(of(pair).model / of(pair).mean).toBeGreaterThan(0.9)
  }
})

test('a target that no training row has whole has no linear predictor, and one that some have is learned from those', () => {
  const { layout, train, validation } = exampleTrainingSet({
    modalities: [
      { name: 'weather', tokens: 2, noise: 0.1 },
      { name: 'sound', tokens: 2, noise: 0.1 },
    ],
    labels: 2,
    train: 60,
    validation: 40,
    seed: 6,
  })
  const scale = { mean: new Float32Array(4), deviation: new Float32Array(4).fill(1) }
  const alone = Uint8Array.of(0, 0, 1, 1)
  const guess = (rows: readonly TokenSet[]) =>
    openLinearGuess(layout, scale, { train: rows, validation: validation.rows, measured: validation.rows }).error(
      alone,
      1,
    )
  const half = train.rows.map(({ features, hidden }) => ({ features, hidden: hidden.with(3, 1) }))
  expect(guess(half)).toBeNull()
  expect(guess([...half, ...train.rows])).toEqual(guess(train.rows))
  expect(guess(train.rows)!.error).toBeLessThan(0.1)
})
