/** How well the model does, on the validation part, with one modality alone and with everything. */
import { taskOf } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import { macroAuc } from '../metrics/auc.ts'
import { top1 } from '../metrics/top1.ts'
import { modalitySubset } from '../model/subset.ts'
import type { TrainingSet } from '../model/training-set.ts'
import type { Crew } from './crew.ts'
import { everyLabel, type SharedExamples } from './shared-examples.ts'

export type Scores = {
  /** By modality: macro AUC, or Top-1 in the single-label task; 0 to 1. */
  readonly single: readonly number[]
  readonly all: number
}

/** `evaluated`: labels by index that have both classes in the validation part; Top-1 is of all classes. */
export const scoreModalities = async (
  crew: Crew,
  weights: Float32Array,
  { layout, labels, ...set }: TrainingSet,
  validation: SharedExamples,
  evaluated: readonly number[],
): Promise<Scores & { readonly selection: number }> => {
  const singles = layout.modalities.map((_, m) => modalitySubset(layout, [m], 'single').hidden)
  const everything = new Uint8Array(layout.slots.length)
  const subsets = [...singles, everything]
  const known = everyLabel(validation)
  const scoresOf = async (some: readonly Uint8Array[]): Promise<number[]> =>
    (await crew.logits(weights, some)).map((logits) =>
      taskOf(set) === 'single-label'
        ? top1(logits, known, labels.length)
        : macroAuc(logits, known, labels.length, evaluated),
    )
  const scores: number[] = []
  // Answers are [rows × labels] for each subset: of rows too many for memory one subset's at a time.
  if (validation.kind === 'stored') for (const subset of subsets) scores.push(...(await scoresOf([subset])))
  else scores.push(...(await scoresOf(subsets)))
  assert(scores.every(Number.isFinite), 'scores are finite', { scores })
  const measured = { single: scores.slice(0, -1), all: scores.at(-1)! }
  return { ...measured, selection: selectionScore(measured) }
}

/** (Σ s_m + s_all) / (M + 1): every modality counts as much as everything together. */
const selectionScore = ({ single, all }: Scores): number =>
  (single.reduce((sum, score) => sum + score, 0) + all) / (single.length + 1)
