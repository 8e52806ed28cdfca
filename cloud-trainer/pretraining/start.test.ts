/** From pre-training to a model with labels: fine-tuned, or probed. */
import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { imbalanceOf } from '../masking/imbalance.ts'
import { defaultModelConfig } from '../model/config.ts'
import { encoderSize } from '../model/parameters.ts'
import { DEFAULT_TRAINING, type TrainOptions, train } from '../training/train.ts'
import { pretrain } from './pretrain.ts'
import { startingWeights } from './start.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 4, noise: 0.3, missing: 0.1 },
    { name: 'sound', tokens: 3, noise: 0.5, missing: 0.3 },
  ],
  labels: 3,
  train: 80,
  validation: 60,
  seed: 8,
})
const config = { ...defaultModelConfig(3), width: 16, layers: 2, heads: 2, feedForward: 32, frequencies: 8 }
const size = encoderSize(config, set.layout)

const common = { ...DEFAULT_TRAINING, set, seed: 1, batchSize: 16, warmupSteps: 10, workers: 1, folder: null } as const

const optionsOf = (startFrom: Float32Array | null, changes: Partial<TrainOptions> = {}): TrainOptions => ({
  ...common,
  config,
  strategy: { name: 'miam' },
  epochs: 4,
  startFrom,
  ...changes,
})

const pretrained = () =>
  pretrain({ ...common, config: { ...config, labels: 1 }, strategy: { name: 'miam' }, epochs: 3 })

test('a model starts with the encoder and a head of its own seed', async () => {
  const { weights } = await pretrained()
  const [one, other] = [1, 2].map((seed) => startingWeights(config, set.layout, weights, seed))
  expect(one!.subarray(0, size)).toEqual(weights.subarray(0, size))
  expect(other!.subarray(0, size)).toEqual(weights.subarray(0, size))
  expect(one!.subarray(size)).not.toEqual(other!.subarray(size))
  expect(one!.length - size).toBe(2 * 16 + 16 * 3 + 3)
})

test('a probe leaves every weight of the encoder as it is, and learns under masks that lean as they did', async () => {
  const { weights, scores } = await pretrained()
  const startFrom = startingWeights(config, set.layout, weights, 1)
  const probed = await train(optionsOf(startFrom, { probe: scores, learningRate: 2e-2, epochs: 8 }))
  expect(probed.weights.subarray(0, size)).toEqual(startFrom.subarray(0, size))
  expect(probed.weights.subarray(size)).not.toEqual(startFrom.subarray(size))
  const held = imbalanceOf(scores, { lambdaScore: 1, lambdaSpeed: 1 }, 2)
  for (const { masking } of probed.epochs) expect(masking).toEqual(held)
  expect(probed.epochs.at(-1)!.all).toBeGreaterThan(0.6)

  const tuned = await train(optionsOf(startFrom))
  expect(tuned.weights.subarray(0, size)).not.toEqual(startFrom.subarray(0, size))
  expect(tuned.epochs[0]!.masking!.lnW).toEqual([0, 0])
})
