/** What the trainer and its worker threads say to each other. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import type { SharedExamples } from './shared-examples.ts'
import type { MemberData } from './team.ts'

/** Seed of the run, and its step. */
export type StepDraw = { readonly seed: number; readonly step: number }

/** Handed to a thread when it starts. */
export type CrewData = MemberData & {
  readonly config: ModelConfig
  readonly layout: TokenLayout
  readonly train: SharedExamples
  readonly validation: SharedExamples
  /** Shared: what the loss takes for the labels of the training part, [rows × labels]; null: the labels themselves. */
  readonly targets: Float32Array | null
  readonly positiveWeight: Float32Array
  readonly negativeWeight: Float32Array
  /** Memory of the values that one run keeps for its backward pass. */
  readonly limitBytes: number
  readonly trainingModel: Uint8Array
  readonly gradientOutputs: readonly string[]
  readonly inferenceModel: Uint8Array
}

export type CrewRequest =
  | {
      readonly kind: 'gradient'
      /** Rows of the training part, and their masks [rows × slots] (1 = hidden, missing included). */
      readonly rows: readonly number[]
      readonly hidden: Uint8Array
      /** What dropout is drawn from, besides the rows; null for a model without. */
      readonly draw: StepDraw | null
      /** Observations of the whole batch: the gradient is weighted by rows / batch. */
      readonly batch: number
    }
  | {
      readonly kind: 'logits'
      readonly part: 'train' | 'validation'
      /** Rows of that part, seen through a subset ([slots], 1 = hidden). */
      readonly rows: readonly number[]
      readonly subset: Uint8Array
    }

/** `loss` is weighted like the gradient; `logits` are [rows × labels]. */
export type CrewAnswer = { readonly loss: number } | { readonly logits: Float32Array }
