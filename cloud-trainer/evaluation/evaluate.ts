/** Measures one model on every subset of its inputs: everything outside the subset is hidden, nothing else changes. */
import { dirname } from 'node:path'
import { type Task, taskOf } from '#shared/domain/task.ts'
import { openScratchFile } from '#shared/platform/scratch-file.ts'
import { assert } from '#shared/std/assert.ts'
import { labelCounts } from '../model/label-counts.ts'
import type { Subset } from '../model/subset.ts'
import { allLabels, type LabelValues, restrictRows, type TokenRows } from '../model/token-rows.ts'
import type { Examples, TrainingSet } from '../model/training-set.ts'
import { macroAucInterval, top1Interval } from './bootstrap.ts'

/** Logits [rows × labels] of a model, uncalibrated. */
export type Predict = (rows: TokenRows) => Promise<ArrayLike<number>>

export type SubsetScore = {
  readonly subset: string
  readonly group: Subset['group']
  /** Macro AUC, or Top-1 in the single-label task; 0 to 1. */
  readonly value: number
  /** Ends of the 95 % interval. */
  readonly low: number
  readonly high: number
}

/** What the model saw and said: the input of calibration. */
type SeenSubset = {
  readonly subset: Subset
  readonly rows: TokenRows
  /** [rows × labels]. Of rows on disk they are read anew at each access. */
  readonly logits: ArrayLike<number>
}

export type Evaluation = {
  readonly observations: number
  /** Indices of the labels that count. Top-1 counts all observations of a known class, as long as there is one here. */
  readonly evaluated: readonly number[]
  /** In the order of the subsets; empty when no label counts, because there is nothing to measure then. */
  readonly scores: readonly SubsetScore[]
  /** Plain mean of the scores; NaN when there are none. */
  readonly average: number
  readonly seen: readonly SeenSubset[]
}

export type EvaluateOptions = {
  /** Multi-label when absent. */
  readonly task?: Task
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
  options: EvaluateOptions,
): Promise<Evaluation> => {
  const { seed, resamples, signal } = options
  const observations = examples.rows.length
  assert(observations > 0, 'a model is measured on observations')
  const labels = allLabels(examples.labels)
  const count = labels.length / observations
  const evaluated = options.evaluated ?? countedLabels(labels, count, taskOf(options))
  const scores: SubsetScore[] = []
  const seen: SeenSubset[] = []
  const keep = keeping(examples.rows)
  for (const subset of subsets) {
    signal?.throwIfAborted()
    const rows = restrictRows(examples.rows, subset)
    const logits = await predict(rows)
    const kept = keep(logits)
    seen.push({
      subset,
      rows,
      get logits() {
        return kept()
      },
    })
    if (evaluated.length === 0) continue
    const interval =
      taskOf(options) === 'single-label'
        ? top1Interval(logits, labels, { count, seed, resamples })
        : macroAucInterval(logits, labels, { count, evaluated, seed, resamples })
    scores.push({ subset: subset.name, group: subset.group, ...interval })
  }
  return { observations, evaluated, scores, average: averageOf(scores), seen }
}

/** What was said of rows on disk goes to disk too, and is read anew whenever it is asked for. */
const keeping = ({ stored }: TokenRows): ((logits: ArrayLike<number>) => () => ArrayLike<number>) => {
  if (stored === undefined) return (logits) => () => logits
  const scratch = openScratchFile(dirname(stored.file))
  return (logits) => {
    const bytes = 4 * logits.length
    const position = scratch.append(new Uint8Array(Float32Array.from(logits).buffer))
    return () => new Float32Array(scratch.read(position, bytes).buffer)
  }
}

export const averageOf = (scores: readonly { readonly value: number }[]): number =>
  scores.reduce((sum, { value }) => sum + value, 0) / scores.length

/** Those with both classes; of the single-label task those that occur. */
const countedLabels = (labels: LabelValues, count: number, task: Task): readonly number[] => {
  const { positive, negative } = labelCounts(labels, count)
  const counts = (c: number): boolean => positive[c]! > 0 && (task === 'single-label' || negative[c]! > 0)
  return Array.from({ length: count }, (_, c) => c).filter(counts)
}

/**
 * Labels with both classes in every part of a set: a label that was never seen in training, or is constant where
 * it is measured, says nothing about a model (after MaskSDM). In the single-label task: classes that occur in every
 * part.
 */
export const labelsInAllParts = ({ labels, train, validation, test, ...set }: TrainingSet): readonly number[] => {
  const parts = [train, validation, ...(test === null ? [] : [test])]
  const evaluated = parts.map((part) => new Set(countedLabels(part.labels, labels.length, taskOf(set))))
  return labels.map((_, label) => label).filter((label) => evaluated.every((part) => part.has(label)))
}
