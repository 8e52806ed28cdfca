/**
 * Self-distillation: the model's own answer to everything visible, mixed into the labels that it learns from masked
 * inputs. What a label can't tell from the visible part is then a probability instead of 0 or 1. Pure.
 */
import type { Task } from '#shared/domain/task.ts'
import type { LabelWeights } from './label-weights.ts'

export type Distillation = {
  /** Of the answer in what is learned, above 0 to 1. */
  readonly share: number
  /** Epochs without it: answers of a model that knows nothing teach nothing. At least 1. */
  readonly after: number
}

/**
 * (1 − share)·y + share·t for each label y, NaN where y is unknown; of the single-label task a row without a class stays
 * one. `labels` and `logits`: [observations × weights]. The loss weighs positives a and negatives b, so its logits stand
 * ln(a/b) above the log odds of the training part (`export/base-rates.ts`): t = σ(z − ln(a/b)), which makes z itself the
 * minimum of the weighted loss. In the single-label task t = softmax(z). A label without weights is left as it is.
 */
export const softTargets = (
  labels: Float32Array,
  logits: Float32Array,
  { positive, negative }: Pick<LabelWeights, 'positive' | 'negative'>,
  share: number,
  task: Task,
): Float32Array => {
  const count = positive.length
  const mixed = (y: number, answer: number): number => (1 - share) * y + share * answer
  if (task === 'multi-label') {
    const shifts = Float64Array.from(positive, (a, c) => (a > 0 ? Math.log(a / negative[c]!) : Number.NaN))
    return labels.map((y, i) => {
      const shift = shifts[i % count]!
      return Number.isNaN(shift) ? y : mixed(y, 1 / (1 + Math.exp(shift - logits[i]!)))
    })
  }
  const targets = labels.slice()
  for (let from = 0; from < labels.length; from += count) {
    const own = targets.subarray(from, from + count)
    if (!own.includes(1)) continue
    const row = logits.subarray(from, from + count)
    const most = row.reduce((max, z) => Math.max(max, z), Number.NEGATIVE_INFINITY)
    const total = row.reduce((sum, z) => sum + Math.exp(z - most), 0)
    for (let c = 0; c < count; c++) own[c] = mixed(own[c]!, Math.exp(row[c]! - most) / total)
  }
  return targets
}
