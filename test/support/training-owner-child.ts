/** A process that trains for an epoch and predicts, both in worker threads, and ends. */
import '#shared/platform/preflight.ts'
import { defaultModelConfig } from '#cloud/model/config.ts'
import { openPredictor } from '#cloud/model/predictor.ts'
import { DEFAULT_TRAINING, train } from '#cloud/training/train.ts'
import { exampleTrainingSet } from './example-training-set.ts'

const set = exampleTrainingSet({
  modalities: [{ name: 'weather', tokens: 2, noise: 0.4, missing: 0.1 }],
  labels: 2,
  train: 40,
  validation: 40,
  seed: 1,
})
const { weights, config } = await train({
  ...DEFAULT_TRAINING,
  set,
  config: { ...defaultModelConfig(2), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 2 },
  strategy: { name: 'miam' },
  seed: 1,
  epochs: 1,
  workers: 1,
  folder: null,
  startFrom: null,
})
await using predictor = await openPredictor(config, set.layout, weights, { threads: 1 })
const { slots, featureCount } = set.layout
await predictor.predict([{ hidden: new Uint8Array(slots.length), features: new Float32Array(featureCount) }])
process.send?.({ answered: true })
process.disconnect()
