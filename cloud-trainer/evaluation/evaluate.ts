/** Measures one model on every subset of its inputs: everything outside the subset is hidden, nothing else changes. */
import { assert } from '#shared/std/assert.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { evaluatedLabels } from '../metrics/auc.ts'
import { restrict, type Subset } from '../model/subset.ts'
import type { Examples, TrainingSet } from '../model/training-set.ts'
import { macroAucInterval } from './bootstrap.ts'

/** Logits [rows × labels] of a model, uncalibrated. */
export type Predict = (rows: readonly TokenSet[]) => Promise<ArrayLike<number>>

export type SubsetScore = {
  readonly subset: string
  readonly group: Subset['group']
  /** Macro AUC, 0 to 1. */
  readonly value: number
  /** Ends of the 95 % interval. */
  readonly low: number
  readonly high: number
}

/** What the model saw and said: the input of calibration. */
type SeenSubset = {
  readonly subset: Subset
  readonly rows: readonly TokenSet[]
  /** [rows × labels] */
  readonly logits: ArrayLike<number>
}

export type Evaluation = {
  readonly observations: number
  /** Indices of the labels that count. */
  readonly evaluated: readonly number[]
  /** In the order of the subsets; empty when no label counts, because there is nothing to measure then. */
  readonly scores: readonly SubsetScore[]
  /** Plain mean of the scores; NaN when there are none. */
  readonly average: number
  readonly seen: readonly SeenSubset[]
}

export type EvaluateOptions = {
  /** Indices of the labels that count; when absent, those with both classes among these examples. */
  readonly evaluated?: readonly number[]
  /** Of the bootstrap. */
  readonly seed: number
  /** 0: no interval. */
  readonly resamples: number
  readonly signal?: AbortSignal
}

export const evaluateSubsets = async (
  predict: Predict,
  examples: Examples,
  subsets: readonly Subset[],
  { seed, resamples, signal, ...options }: EvaluateOptions,
): Promise<Evaluation> => {
  const observations = examples.rows.length
  assert(observations > 0, 'a model is measured on observations')
  const count = examples.labels.length / observations
  const evaluated = options.evaluated ?? evaluatedLabels(examples.labels, count)
  const scores: SubsetScore[] = []
  const seen: SeenSubset[] = []
  for (const subset of subsets) {
    signal?.throwIfAborted()
    const rows = examples.rows.map((row) => restrict(row, subset))
    const logits = await predict(rows)
    seen.push({ subset, rows, logits })
    if (evaluated.length === 0) continue
    const interval = macroAucInterval(logits, examples.labels, { count, evaluated, seed, resamples })
    scores.push({ subset: subset.name, group: subset.group, ...interval })
  }
  return { observations, evaluated, scores, average: averageOf(scores), seen }
}

export const averageOf = (scores: readonly { readonly value: number }[]): number =>
  scores.reduce((sum, { value }) => sum + value, 0) / scores.length

/**
 * Labels with both classes in every part of a set: a label that was never seen in training, or is constant where
 * it is measured, says nothing about a model (after MaskSDM).
 */
export const labelsInAllParts = ({ labels, train, validation, test }: TrainingSet): readonly number[] => {
  const parts = [train, validation, ...(test === null ? [] : [test])]
  const evaluated = parts.map((part) => new Set(evaluatedLabels(part.labels, labels.length)))
  return labels.map((_, label) => label).filter((label) => evaluated.every((part) => part.has(label)))
}
