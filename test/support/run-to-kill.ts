/** The same small training run for the process that is killed and for the one that knows the right result. */
import { defaultModelConfig } from '#cloud/model/config.ts'
import { DEFAULT_TRAINING, type TrainOptions } from '#cloud/training/train.ts'
import { exampleTrainingSet } from './example-training-set.ts'

export const runToKill = (folder: string | null): TrainOptions => ({
  ...DEFAULT_TRAINING,
  set: exampleTrainingSet({
    modalities: [
      { name: 'weather', tokens: 5, noise: 0.5, missing: 0.1 },
      { name: 'sound', tokens: 3, noise: 1, missing: 0.4 },
    ],
    labels: 3,
    train: 200,
    validation: 100,
    seed: 4,
  }),
  config: { ...defaultModelConfig(3), width: 32, layers: 2, heads: 4, feedForward: 64, frequencies: 8 },
  strategy: { name: 'miam' },
  seed: 1,
  epochs: 12,
  batchSize: 20,
  workers: 2,
  folder,
  startFrom: null,
})
