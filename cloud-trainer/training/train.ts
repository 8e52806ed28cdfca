/** Training, from a set and a configuration to weights: the stage's one entry. */

import type { StrategyOptions } from '../masking/strategy.ts'
import type { ModelConfig } from '../model/config.ts'
import type { TrainingSet } from '../model/training-set.ts'
import type { EpochRecord, TrainProgress } from './progress.ts'

export type TrainOptions = {
  readonly set: TrainingSet
  readonly config: ModelConfig
  readonly strategy: StrategyOptions
  readonly seed: number
  readonly epochs: number
  /** At most; a training part of less than four such batches gets smaller ones. */
  readonly batchSize: number
  readonly learningRate: number
  readonly weightDecay: number
  /** Steps over which the rate rises from 0. */
  readonly warmupSteps: number
  /** Epochs without a better selection score after which the run stops; null: never. */
  readonly patience: number | null
  /** Which epoch's averaged weights are returned. */
  readonly select: 'last' | 'best'
  /** Worker threads. Equal bits need an equal number. */
  readonly workers: number
  /** Of this run's checkpoints; made when missing. A compatible one is resumed. Null: none are kept. */
  readonly folder: string | null
  /** Weights to start from (x of an earlier run of the same configuration and layout); null: random ones. */
  readonly startFrom: Float32Array | null
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
}

export type Trained = {
  /** Averaged weights (x of the schedule-free optimizer): what is measured and exported. */
  readonly weights: Float32Array
  readonly config: ModelConfig
  readonly seed: number
  /** Name and parameters of the masking strategy. */
  readonly strategy: Readonly<Record<string, string | number>>
  readonly epochs: readonly EpochRecord[]
  /** The epoch (from 1) whose weights these are. */
  readonly selectedEpoch: number
  readonly batchSize: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly warmupSteps: number
  readonly workers: number
  /** Labels that lack a class in the training part: the model knows nothing of them. */
  readonly unlearnable: readonly string[]
  /** What kept the run from being repeatable bit for bit, if anything did. */
  readonly notes: readonly string[]
  readonly seconds: number
}

/** What a run needs besides data, model, strategy and seed. */
export const DEFAULT_TRAINING = {
  epochs: 40,
  batchSize: 128,
  learningRate: 2e-3,
  weightDecay: 0.01,
  warmupSteps: 100,
  patience: null,
  select: 'last',
} as const satisfies Partial<TrainOptions>

export declare const train: (options: TrainOptions) => Promise<Trained>
