/** A new model against an earlier one, on the validation part of the new one's data: both answer the same observations. */
import { type Task, taskOf } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import { type BundleModel, setFor } from './bundle-model.ts'
import type { RawSet } from './dataset/raw-set.ts'
import { averageOf, type Evaluation, type Predict } from './evaluation/evaluate.ts'
import { type Answers, type ResampledChange, resampleChange, simultaneousChanges } from './evaluation/paired-change.ts'
import { subsetsToMeasure } from './evaluation/subsets.ts'
import type { Comparison, SubsetChange } from './gate.ts'
import { type JudgedSubset, judgedSubsets, type SubsetTraffic } from './judged-subsets.ts'
import { evaluatedLabels, macroAuc } from './metrics/auc.ts'
import { top1 } from './metrics/top1.ts'
import type { Subset } from './model/subset.ts'
import { allLabels, restrictRows, type TokenRows } from './model/token-rows.ts'
import type { TrainingSet } from './model/training-set.ts'

export type CompareOptions = {
  readonly current: BundleModel
  readonly raw: RawSet
  readonly candidate: { readonly set: TrainingSet; readonly evaluation: Evaluation; readonly predict: Predict }
  readonly traffic: readonly SubsetTraffic[]
  /** Least share of the traffic that makes a subset a judged one. */
  readonly trafficShare: number
  readonly signal?: AbortSignal
}

/** Of the paired bootstrap (our choice): the ends of a 95 % interval are hardly moved by more. */
const RESAMPLES = 500

/**
 * Null when the two have no task, subset or label in common. A judged subset counts the observations in which at least one
 * of the models sees something of it: the others get their base rates from both.
 */
export const compareModels = async (options: CompareOptions): Promise<Comparison | null> => {
  const { current, raw, candidate, signal } = options
  const task = taskOf(candidate.set)
  if (taskOf(current.manifest) !== task) return null
  const set = setFor(current, { ...raw, examples: raw.examples.filter(({ part }) => part === 'validation') })
  const { validation, labels } = candidate.set
  assert(set.validation.ids.join() === validation.ids.join(), 'both models answer the same observations')
  const shared = candidate.evaluation.evaluated.flatMap((own) => {
    const other = set.labels.findIndex(({ name }) => name === labels[own]!.name)
    return other < 0 ? [] : [{ name: labels[own]!.name, own, other }]
  })
  const measured = new Set(candidate.evaluation.seen.map(({ subset }) => subset.name))
  const subsets = subsetsToMeasure(current.layout).filter(({ name }) => measured.has(name))
  if (shared.length === 0 || subsets.length === 0) return null

  const before = sideOf({
    task,
    rows: set.validation.rows,
    labels: set.validation.labels,
    classes: shared.map(({ other }) => other),
    count: set.labels.length,
    ask: asking(current.predict, set.validation.rows, [], signal),
  })
  const after = sideOf({
    task,
    rows: validation.rows,
    labels: allLabels(validation.labels),
    classes: shared.map(({ own }) => own),
    count: labels.length,
    ask: asking(candidate.predict, validation.rows, candidate.evaluation.seen, signal),
  })
  const scores: { readonly before: number; readonly after: number }[] = []
  for (const subset of subsets) {
    const own = candidate.evaluation.seen.find((it) => it.subset.name === subset.name)!
    scores.push({ before: await before.score(subset), after: await after.score(own.subset) })
  }
  return {
    before: averageOf(scores.map((score) => ({ value: score.before }))),
    after: averageOf(scores.map((score) => ({ value: score.after }))),
    subsets: subsets.map(({ name }) => name),
    labels: shared.map(({ name }) => name),
    judged: await judgedChanges(
      before,
      after,
      task,
      judgedSubsets(options.traffic, { before: current.layout, after: candidate.set.layout }, options.trafficShare),
    ),
  }
}

const judgedChanges = async (
  before: Side,
  after: Side,
  task: Task,
  judged: readonly JudgedSubset[],
): Promise<readonly SubsetChange[]> => {
  const chosen: JudgedSubset[] = []
  const changes: ResampledChange[] = []
  for (const subset of judged) {
    const [old, own] = [before.visible(subset.before), after.visible(subset.after)]
    const counts = old.map((isVisible, row) => isVisible | own[row]!)
    const answers = [await before.answers(subset.before, counts), await after.answers(subset.after, counts)] as const
    // Nobody asks for it as far as is known, so it may stay unmeasured.
    if (subset.predictions === null && answers[0].evaluated.length === 0) continue
    chosen.push(subset)
    changes.push(resampleChange(...answers, { task, seed: 0, resamples: RESAMPLES }))
  }
  return simultaneousChanges(changes)
    .map((change, s) => ({ subset: chosen[s]!.name, predictions: chosen[s]!.predictions, ...change }))
    .filter((change) => !mayStayUnmeasured(change))
}

/** Nobody asks for it, and its labels are too few for an interval. A score that is no number is another matter. */
const mayStayUnmeasured = ({ predictions, after, low }: SubsetChange): boolean =>
  predictions === null && Number.isNaN(low) && !Number.isNaN(after)

/** One model on the validation part. */
type Side = {
  readonly score: (subset: Subset) => Promise<number>
  /** [observations]: 1 where the model sees something of the subset. */
  readonly visible: (subset: Subset) => Uint8Array
  /** What it says of the observations that count (1), the others being unknown. */
  readonly answers: (subset: Subset, counts: Uint8Array) => Promise<Answers>
}

type SideOptions = {
  readonly task: Task
  readonly rows: TokenRows
  /** [observations × count] */
  readonly labels: Float32Array
  readonly count: number
  /** Indices of the labels that both models know. */
  readonly classes: readonly number[]
  readonly ask: (subset: Subset) => Promise<ArrayLike<number>>
}

const sideOf = ({ task, rows, count, classes, ask, ...options }: SideOptions): Side => {
  const isSingle = task === 'single-label'
  const labels = isSingle ? onlyClasses(options.labels, count, classes) : options.labels
  return {
    score: async (subset) => {
      const logits = await ask(subset)
      return isSingle ? top1(logits, labels, count) : macroAuc(logits, labels, count, classes)
    },
    visible: (subset) => Uint8Array.from(restrictRows(rows, subset), ({ hidden }) => (hidden.includes(0) ? 1 : 0)),
    answers: async (subset, counts) => {
      const known = labels.map((y, i) => (counts[Math.floor(i / count)] === 1 ? y : Number.NaN))
      const both = new Set(evaluatedLabels(known, count))
      return { logits: await ask(subset), labels: known, count, evaluated: classes.filter((c) => both.has(c)) }
    },
  }
}

/** Observations of other classes count as unknown. labels: [observations × count]. */
const onlyClasses = (labels: Float32Array, count: number, classes: readonly number[]): Float32Array =>
  labels.map((y, i) => (y === 1 && !classes.includes(i % count) ? Number.NaN : y))

/** Asks each question once; those in `seen` were answered before. */
const asking = (
  predict: Predict,
  rows: TokenRows,
  seen: Evaluation['seen'],
  signal: AbortSignal | undefined,
): ((subset: Subset) => Promise<ArrayLike<number>>) => {
  const known = new Map(seen.map(({ subset, logits }) => [subset.hidden.join(''), logits]))
  return async (subset) => {
    signal?.throwIfAborted()
    const key = subset.hidden.join('')
    const logits = known.get(key) ?? (await predict(restrictRows(rows, subset)))
    known.set(key, logits)
    return logits
  }
}
