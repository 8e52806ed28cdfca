import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { evaluateSubsets } from './evaluation/evaluate.ts'
import { defaultModelConfig } from './model/config.ts'
import { openPredictor } from './model/predictor.ts'
import { modalitySubset, partialSubset } from './model/subset.ts'
import type { MemoryExamples, MemorySet, TrainingSet } from './model/training-set.ts'
import { ORACLE_STRATEGY, restrictSet } from './oracle.ts'
import { DEFAULT_TRAINING, train } from './training/train.ts'

const exampleOf = (seed: number): MemorySet & { readonly test: MemoryExamples } => {
  const set = exampleTrainingSet({
    modalities: [
      { name: 'strong', tokens: 4, noise: 0.2 },
      { name: 'weak', tokens: 4, noise: 1.2, missing: 0.1 },
    ],
    labels: 3,
    train: 256,
    validation: 256,
    seed,
  })
  return { ...set, test: set.validation }
}

const set = exampleOf(5)
const weak = modalitySubset(set.layout, [1], 'single')

const trained = (some: TrainingSet, epochs: number) =>
  train({
    ...DEFAULT_TRAINING,
    set: some,
    config: { ...defaultModelConfig(3), width: 16, layers: 2, heads: 2, feedForward: 32, frequencies: 8 },
    strategy: ORACLE_STRATEGY,
    seed: 1,
    epochs,
    batchSize: 64,
    learningRate: 5e-3,
    warmupSteps: 20,
    workers: 1,
    folder: null,
    startFrom: null,
  })

test('everything outside the subset is hidden in every part, and nothing else changes', () => {
  const restricted = restrictSet(set, weak)
  for (const part of ['train', 'validation', 'test'] as const) {
    const [before, after] = [set[part]!, restricted[part]!]
    expect(after.labels).toBe(before.labels)
    expect(after.ids).toBe(before.ids)
    for (const [i, { hidden, features }] of [...after.rows].entries()) {
      expect([...hidden.subarray(0, 4)]).toEqual([1, 1, 1, 1])
      expect(hidden.subarray(4)).toEqual(before.rows[i]!.hidden.subarray(4))
      expect(features).toBe(before.rows[i]!.features)
    }
  }
  expect(restricted.layout).toBe(set.layout)
  expect(restrictSet({ ...set, test: null }, weak).test).toBeNull()
  // The set itself is as it was.
  expect(set.train.rows.some(({ hidden }) => hidden[0] === 0)).toBe(true)
})

test('each subset makes a set of its own hash, and everything is the set itself', () => {
  const subsets = [
    weak,
    modalitySubset(set.layout, [0], 'single'),
    partialSubset(set.layout, ['weak.0']),
    partialSubset(set.layout, ['weak.0', 'strong.3']),
  ]
  const hashes = subsets.map((subset) => restrictSet(set, subset).hash)
  expect(new Set([...hashes, set.hash]).size).toBe(5)
  expect(restrictSet(set, weak).hash).toBe(hashes[0])
  expect(restrictSet(set, modalitySubset(set.layout, [0, 1], 'all'))).toBe(set)
})

test('a subset of another layout, or of nothing, is refused', () => {
  expect(() => restrictSet(set, { hidden: new Uint8Array(3) })).toThrow('of the set')
  expect(() => restrictSet(set, { hidden: new Uint8Array(8).fill(1) })).toThrow('sees something')
})

test('an oracle is the same to the bit whatever stands outside its subset', async () => {
  const otherwise = exampleOf(6)
  const swapped = (part: 'train' | 'validation'): TrainingSet['train'] => ({
    ...set[part],
    rows: set[part].rows.map(({ features, hidden }, i) => ({
      features: Float32Array.from([...otherwise[part].rows[i]!.features.subarray(0, 4), ...features.subarray(4)]),
      hidden: Uint8Array.from([...otherwise[part].rows[i]!.hidden.subarray(0, 4), ...hidden.subarray(4)]),
    })),
  })
  const other: TrainingSet = { ...set, train: swapped('train'), validation: swapped('validation') }
  const oracle = await trained(restrictSet(set, weak), 2)
  expect((await trained(restrictSet(other, weak), 2)).weights).toEqual(oracle.weights)
  expect((await trained(other, 2)).weights).not.toEqual(oracle.weights)
})

test('an oracle does better on its subset than a model that always saw everything', async () => {
  const score = async (some: TrainingSet): Promise<number> => {
    const { weights, config, epochs } = await trained(some, 25)
    await using predictor = await openPredictor(config, set.layout, weights, { threads: 1 })
    const options = { seed: 1, resamples: 0 }
    const measured = await evaluateSubsets(predictor.predict, set.test!, [weak], options)
    const value = measured.scores[0]!.value
    expect(value).toBeCloseTo(epochs.at(-1)!.scores[1]!, 6)
    // On a restricted set everything is the subset.
    if (some !== set) expect(epochs.at(-1)!.all).toBe(epochs.at(-1)!.scores[1])
    return value
  }
  const oracle = await score(restrictSet(set, weak))
  expect(oracle).toBeGreaterThan((await score(set)) + 0.1)
})
