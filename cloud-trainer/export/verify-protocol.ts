/** What the verifying worker is given and what it answers. */
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'

export type VerifyTask = {
  /** Bytes of the exported file. */
  readonly model: Uint8Array
  readonly config: ModelConfig
  readonly layout: TokenLayout
  /** What the training graph is fed with. */
  readonly weights: Float32Array
  readonly rows: readonly TokenSet[]
  /** What the exported file runs at once. */
  readonly batchRows: number
}

/** Logits [rows × labels] of the same rows, computed in different ways. */
export type VerifyAnswer = {
  readonly trained: Float32Array
  /** By the exported file, `batchRows` at a time. */
  readonly exported: Float32Array
  /** One row at a time. */
  readonly alone: Float32Array
  /** In batches, with other values in all places that are hidden. */
  readonly disturbed: Float32Array
  /** One row at a time, its features moved by a few units of float32's last place, as another processor may round. */
  readonly nudged: Float32Array
}
