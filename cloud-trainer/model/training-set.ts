/** What a model is trained and measured on: tokens and labels, whichever source they came from. */
import type { Sha256 } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { Task } from '#shared/domain/task.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { LabelValues, TokenRows } from './token-rows.ts'

export type Examples = {
  readonly ids: readonly string[]
  /** One for each id. What is missing is hidden. */
  readonly rows: TokenRows
  /**
   * [ids × labels], row-major: 1, 0, or NaN for unknown. In the single-label task an observation has one 1 and else
   * zeros, or no 1 when its class is unknown.
   */
  readonly labels: LabelValues
}

export type LabelSpec = { readonly name: string; readonly taxonId: string | null }

export type TrainingSet = {
  /** Multi-label when absent. */
  readonly task?: Task
  /** Fitted on the training part alone. */
  readonly specs: readonly ModalitySpec[]
  readonly layout: TokenLayout
  readonly labels: readonly LabelSpec[]
  readonly train: Examples
  readonly validation: Examples
  /** Null when everything that is labelled goes into the other two. */
  readonly test: Examples | null
  /** Of everything above that was read: equal data give an equal hash. */
  readonly hash: Sha256
}

/** Examples and a set that lie in memory as a whole. */
export type MemoryExamples = Examples & { readonly rows: readonly TokenSet[]; readonly labels: Float32Array }

export type MemorySet = TrainingSet & {
  readonly train: MemoryExamples
  readonly validation: MemoryExamples
  readonly test: MemoryExamples | null
}
