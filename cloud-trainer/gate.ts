/** Whether a new model may take the place of the one that stations run. */
import { taskOf } from '#shared/domain/task.ts'
import { type BundleModel, setFor } from './bundle-model.ts'
import type { RawSet } from './dataset/raw-set.ts'
import { averageOf, type Evaluation, evaluateSubsets } from './evaluation/evaluate.ts'
import { subsetsToMeasure } from './evaluation/subsets.ts'
import { macroAuc } from './metrics/auc.ts'
import { top1 } from './metrics/top1.ts'
import { allLabels } from './model/token-rows.ts'
import type { TrainingSet } from './model/training-set.ts'

export type Comparison = {
  /**
   * Mean score (macro AUC, or Top-1 in the single-label task) over the subsets and labels that both models know, on the
   * same observations.
   */
  readonly before: number
  readonly after: number
  readonly subsets: readonly string[]
  readonly labels: readonly string[]
}

export type GateVerdict =
  | { readonly kind: 'publish'; readonly comparison: Comparison | null }
  | { readonly kind: 'refuse'; readonly reason: string; readonly comparison: Comparison | null }

/** How far the mean may fall before a new model is refused (our choice): chance alone moves it between trainings. */
export const DEFAULT_TOLERANCE = 0.02

/**
 * Pure. Without a current model any that could be measured may be published. A missing number is a reason to refuse,
 * never to publish.
 */
export const judgeModel = (
  measured: { readonly average: number },
  comparison: Comparison | null,
  { hasCurrent, tolerance }: { readonly hasCurrent: boolean; readonly tolerance: number },
): GateVerdict => {
  const refuse = (reason: string): GateVerdict => ({ kind: 'refuse', reason, comparison })
  if (Number.isNaN(measured.average)) return refuse('no label could be measured: each needs both answers in every part')
  if (!hasCurrent) return { kind: 'publish', comparison }
  if (comparison === null) return refuse('nothing to compare with the current model: no subset or label in common')
  const { before, after } = comparison
  const fell = before - after
  // Written so that NaN refuses.
  if (fell <= tolerance) return { kind: 'publish', comparison }
  return refuse(
    `its mean score is ${after.toFixed(4)}, the current model's ${before.toFixed(4)}: more than ${tolerance} lower`,
  )
}

/** Observations of other classes count as unknown. labels: [observations × count]. */
const onlyClasses = (labels: Float32Array, count: number, classes: readonly number[]): Float32Array =>
  labels.map((y, i) => (y === 1 && !classes.includes(i % count) ? Number.NaN : y))

/** The current model on the validation part of the new one's data, against what the new one gave for it. */
export const compareModels = async (
  current: BundleModel,
  raw: RawSet,
  candidate: { readonly set: TrainingSet; readonly evaluation: Evaluation },
  signal?: AbortSignal,
): Promise<Comparison | null> => {
  const task = taskOf(candidate.set)
  if (taskOf(current.manifest) !== task) return null
  const set = setFor(current, { ...raw, examples: raw.examples.filter(({ part }) => part === 'validation') })
  const known = new Set(set.labels.map(({ name }) => name))
  const { labels, validation } = candidate.set
  const truth = allLabels(validation.labels)
  const { evaluated, seen } = candidate.evaluation
  const shared = evaluated.filter((label) => known.has(labels[label]!.name))
  const names = shared.map((label) => labels[label]!.name)
  const wanted = new Set(seen.map(({ subset }) => subset.name))
  const subsets = subsetsToMeasure(current.layout).filter(({ name }) => wanted.has(name))
  if (shared.length === 0 || subsets.length === 0) return null
  const sharedOfCurrent = names.map((name) => set.labels.findIndex((label) => label.name === name))
  const isSingle = task === 'single-label'
  const examples = isSingle
    ? { ...set.validation, labels: onlyClasses(set.validation.labels, set.labels.length, sharedOfCurrent) }
    : set.validation
  const { scores } = await evaluateSubsets(current.predict, examples, subsets, {
    task,
    evaluated: sharedOfCurrent,
    seed: 0,
    resamples: 0,
    ...(signal === undefined ? {} : { signal }),
  })
  const after = scores.map(({ subset }) => {
    const { logits } = seen.find((it) => it.subset.name === subset)!
    return {
      value: isSingle
        ? top1(logits, onlyClasses(truth, labels.length, shared), labels.length)
        : macroAuc(logits, truth, labels.length, shared),
    }
  })
  return {
    before: averageOf(scores),
    after: averageOf(after),
    subsets: scores.map(({ subset }) => subset),
    labels: names,
  }
}
