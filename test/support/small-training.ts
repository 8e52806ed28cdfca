/** Settings with which small models learn a little in seconds. */
import { DEFAULT_TRAINING } from '#cloud/training/train.ts'

export const SMALL_TRAINING = {
  ...DEFAULT_TRAINING,
  seed: 1,
  batchSize: 16,
  learningRate: 0.01,
  warmupSteps: 5,
  workers: 1,
  folder: null,
  startFrom: null,
} as const
