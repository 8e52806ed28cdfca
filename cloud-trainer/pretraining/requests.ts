/** What pre-training and its worker threads say to each other. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import type { TargetScale } from '../model/reconstruction-batch.ts'
import type { StepDraw } from '../training/requests.ts'
import type { SharedExamples } from '../training/shared-examples.ts'
import type { MemberData } from '../training/team.ts'

/** Handed to a thread when it starts. */
export type GuessersData = MemberData & {
  readonly config: ModelConfig
  readonly layout: TokenLayout
  readonly train: SharedExamples
  readonly measured: SharedExamples
  readonly scale: TargetScale
  readonly limitBytes: number
  readonly trainingModel: Uint8Array
  readonly gradientOutputs: readonly string[]
  readonly guessingModel: Uint8Array
}

export type GuessersRequest =
  | {
      readonly kind: 'gradient'
      /** Rows of the training part, and their masks [rows × slots] (1 = hidden, missing included). */
      readonly rows: readonly number[]
      readonly hidden: Uint8Array
      readonly draw: StepDraw | null
      /** Of the whole step, see `ReconstructionBatch`. */
      readonly tokenWeights: readonly number[]
    }
  | {
      readonly kind: 'errors'
      /** Rows of the measured part, seen through a subset ([slots], 1 = hidden). */
      readonly rows: readonly number[]
      readonly subset: Uint8Array
    }

/**
 * `errors`: [rows × modalities], the sum over a modality's hidden tokens of the mean over their numbers of the squared
 * error.
 */
export type GuessersAnswer = { readonly loss: number } | { readonly errors: Float32Array }
