import { taskOf } from '#shared/domain/task.ts'
import { labelCounts } from '../model/label-counts.ts'
import type { LabelValues } from '../model/token-rows.ts'
import type { TrainingSet } from '../model/training-set.ts'

/**
 * Weights of the loss by label, so that the positives and the negatives of a rare label weigh the same in total:
 * a = n / (n⁺ + 1e-5) for a positive, b = a / (a − 1) for a negative, of n known labels with n⁺ positives (MaskSDM).
 * A label that lacks a class gets 0: nothing can be learned of it. Classes of the single-label task are not weighed.
 */
export type LabelWeights = {
  /** [labels] each. */
  readonly positive: Float32Array
  readonly negative: Float32Array
  /** Labels by index that have both classes, and those that have not. */
  readonly learnable: readonly number[]
  readonly unlearnable: readonly number[]
}

/** `labels`: [observations × count] of the training part: 1, 0, or NaN for unknown, which is not counted. */
export const labelWeights = (labels: LabelValues, count: number): LabelWeights => {
  const { positive: positives, negative: negatives } = labelCounts(labels, count)
  const positive = new Float32Array(count)
  const negative = new Float32Array(count)
  const learnable: number[] = []
  const unlearnable: number[] = []
  for (let c = 0; c < count; c++) {
    if (positives[c] === 0 || negatives[c] === 0) {
      unlearnable.push(c)
      continue
    }
    const a = (positives[c]! + negatives[c]!) / (positives[c]! + 1e-5)
    positive[c] = a
    negative[c] = a / (a - 1)
    learnable.push(c)
  }
  return { positive, negative, learnable, unlearnable }
}

/**
 * The same of the single-label task, whose loss takes observations as they come: all weights are 0, and a class can be
 * learned when an observation of the training part is of it.
 */
const classesSeen = (labels: LabelValues, count: number): LabelWeights => {
  const { positive } = labelCounts(labels, count)
  const classes = Array.from(positive, (_, c) => c)
  return {
    positive: new Float32Array(count),
    negative: new Float32Array(count),
    learnable: classes.filter((c) => positive[c]! > 0),
    unlearnable: classes.filter((c) => positive[c] === 0),
  }
}

/** What the training part of a set teaches. */
export const weightsFor = ({ train, labels, ...set }: TrainingSet): LabelWeights =>
  (taskOf(set) === 'single-label' ? classesSeen : labelWeights)(train.labels, labels.length)
