import type { ModelVersion, ObservationId } from './ids.ts'

/** How much of each modality the model saw. */
export type Evidence = Readonly<Record<string, { readonly visibleTokens: number; readonly totalTokens: number }>>

/** Scores for one revision of one observation by one model version. */
export type Prediction = {
  readonly observation: ObservationId
  readonly revision: number
  readonly model: ModelVersion
  readonly labels: readonly string[]
  /** Same order as labels, 0 to 1. */
  readonly probabilities: readonly number[]
  readonly evidence: Evidence
  readonly final: boolean
  readonly predictedAtMs: number
}
