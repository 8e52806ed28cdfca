/** How well the model does, on the validation part, with one modality alone and with everything. */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { macroAuc } from '../metrics/auc.ts'
import { modalitySubset } from '../model/subset.ts'
import type { Crew } from './crew.ts'
import type { SharedExamples } from './shared-examples.ts'

export type Scores = {
  /** By modality: macro AUC, 0 to 1. */
  readonly single: readonly number[]
  readonly all: number
}

/** `evaluated`: labels by index that have both classes in the validation part. */
export const scoreModalities = async (
  crew: Crew,
  weights: Float32Array,
  layout: TokenLayout,
  validation: SharedExamples,
  labels: number,
  evaluated: readonly number[],
): Promise<Scores> => {
  const singles = layout.modalities.map((_, m) => modalitySubset(layout, [m], 'single').hidden)
  const everything = new Uint8Array(layout.slots.length)
  const results = await crew.logits(weights, [...singles, everything])
  const scores = results.map((logits) => macroAuc(logits, validation.labels, labels, evaluated))
  assert(scores.every(Number.isFinite), 'scores are finite', { scores })
  return { single: scores.slice(0, -1), all: scores.at(-1)! }
}

/** (Σ s_m + s_all) / (M + 1): every modality counts as much as everything together. */
export const selectionScore = ({ single, all }: Scores): number =>
  (single.reduce((sum, score) => sum + score, 0) + all) / (single.length + 1)
