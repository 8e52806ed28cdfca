/** What a run says about itself while it runs, and keeps. */
import type { Imbalance } from '../masking/imbalance.ts'

export type EpochRecord = {
  /** From 1. */
  readonly epoch: number
  /** Mean of the steps' losses, each under the masks of its step. */
  readonly loss: number
  /**
   * s_m by modality: macro AUC, or Top-1 in the single-label task (0 to 1), on the validation part with that modality
   * alone visible. In pre-training its explained variance of the others (see `pretraining/proxy.ts`).
   */
  readonly scores: readonly number[]
  /** The same with everything visible. In pre-training the explained variance of one modality by all others. */
  readonly all: number
  /** What the best epoch is chosen by: (Σ s_m + all) / (M + 1), or `all` if asked; in pre-training Σ s_m / M. */
  readonly selection: number
  /** What leaned the masks of this epoch; null for strategies that no score changes. */
  readonly masking: Imbalance | null
  readonly seconds: number
}

export type TrainProgress =
  | {
      readonly kind: 'started'
      readonly parameters: number
      readonly workers: number
      readonly batchSize: number
      readonly stepsPerEpoch: number
      readonly epochs: number
      /** Labels that lack a class in the training part: they have no weight in the loss. */
      readonly unlearnable: readonly string[]
      /** Name and parameters; of one that the rule of thumb has chosen, the reason too. */
      readonly strategy: Readonly<Record<string, string | number>>
    }
  /** A checkpoint was found. `notes`: why the rest may differ in its last bits from an uninterrupted run. */
  | { readonly kind: 'resumed'; readonly epoch: number; readonly step: number; readonly notes: readonly string[] }
  | {
      readonly kind: 'step'
      readonly epoch: number
      /** Within the epoch, from 1. */
      readonly step: number
      readonly loss: number
      /** Until the last planned epoch ends, at the speed so far. */
      readonly etaMs: number
    }
  | { readonly kind: 'epoch'; readonly record: EpochRecord; readonly etaMs: number }
