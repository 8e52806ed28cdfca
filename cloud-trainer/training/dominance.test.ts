/** Why masks: a modality that shows less is not learned beside one that shows all, unless the other is hidden at times. */
import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import type { StrategyOptions } from '../masking/strategy.ts'
import { defaultModelConfig } from '../model/config.ts'
import { DEFAULT_TRAINING, train } from './train.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'strong', tokens: 4, noise: 0.2 },
    { name: 'weak', tokens: 4, noise: 1.2 },
  ],
  labels: 4,
  train: 512,
  validation: 512,
  seed: 5,
})

const run = async (strategy: StrategyOptions) => {
  const trained = await train({
    ...DEFAULT_TRAINING,
    set,
    config: { ...defaultModelConfig(4), width: 32, layers: 2, heads: 4, feedForward: 64, frequencies: 8 },
    strategy,
    seed: 1,
    epochs: 25,
    batchSize: 64,
    learningRate: 5e-3,
    warmupSteps: 20,
    workers: 2,
    folder: null,
    startFrom: null,
  })
  const { scores, all } = trained.epochs.at(-1)!
  return { strong: scores[0]!, weak: scores[1]!, all }
}

test('MIAM lifts the dominated modality far above a run without masks, at little cost to the rest', async () => {
  const without = await run({ name: 'none' })
  const miam = await run({ name: 'miam' })
  expect(miam.weak).toBeGreaterThan(without.weak + 0.05)
  // A factor seen through noise of 1.2 ranks presences at about 0.80.
  expect(miam.weak).toBeGreaterThan(0.72)
  expect(miam.strong).toBeGreaterThan(0.95)
  expect(miam.all).toBeGreaterThan(without.all - 0.02)
})
