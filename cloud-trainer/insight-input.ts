/** What `trainer insight` looks at: a bundle's model, data in its terms, and how answers are scored. */
import { resolve } from 'node:path'
import { type Task, taskOf } from '#shared/domain/task.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { type BundleModel, openBundleModel } from './bundle-model.ts'
import { UsageError } from './command-line.ts'
import type { Source } from './data-source.ts'
import { resampledMacroAuc, resampledTop1 } from './evaluation/bootstrap.ts'
import { labelsInAllParts } from './evaluation/evaluate.ts'
import { type MaskValues, metricOfMasks } from './insight/games.ts'
import type { Subject } from './insight/subject.ts'
import { allLabels, inMemory } from './model/token-rows.ts'
import type { Examples, TrainingSet } from './model/training-set.ts'
import { type Memory, openSet } from './open-set.ts'

export type InsightInput = AsyncDisposable & {
  readonly model: BundleModel
  readonly set: TrainingSet
}

type Part = 'train' | 'validation' | 'test'

/** Throws a DatasetError, a BundleError, or a UsageError when the two don't fit each other. */
export const openInsightInput = async (
  source: Source,
  bundle: string,
  memory: Memory,
  signal: AbortSignal,
): Promise<InsightInput> => {
  await using opened = new AsyncDisposableStack()
  const model = opened.use(await openBundleModel(resolve(bundle)))
  const { modalities: specs, labels } = model.manifest
  const onNote = (text: string): void => void process.stderr.write(`note: ${text}\n`)
  const set = opened.use(await openSet(source, { memory, specs, labels, onNote, signal }))
  if (taskOf(set) !== taskOf(model.manifest)) {
    throw new UsageError(`--data: they are ${taskOf(set)}, the bundle is ${taskOf(model.manifest)}`)
  }
  const all = opened.move()
  return { model, set, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** "valley of 2026-05-14". */
export const modelName = ({ manifest }: BundleModel): string =>
  `${manifest.family} of ${manifest.createdAt.slice(0, 10)}`

export type MetricOptions = {
  readonly part?: Part | undefined
  /** Names of labels that alone count; all that the data can judge when absent. */
  readonly labels?: readonly string[] | undefined
  readonly seed: number
  readonly resamples: number
  readonly signal: AbortSignal
}

export type Metric = {
  readonly subject: Subject
  readonly values: MaskValues
  /** For the record. */
  readonly record: {
    readonly metric: 'macro-auc' | 'top-1'
    readonly part: Part
    readonly observations: number
    readonly labels: readonly string[]
    readonly seed: number
    readonly resamples: number
  }
}

/** Throws a UsageError when there is nothing to measure. */
export const metricOf = ({ model, set }: InsightInput, options: MetricOptions): Metric => {
  const { seed, resamples, signal } = options
  const part = options.part ?? (set.test === null ? 'validation' : 'test')
  const examples = set[part]
  if (examples === null || examples.ids.length === 0) throw new UsageError(`--part: the data have no ${part} part`)
  const task = taskOf(set)
  const evaluated = labelsThatCount(set, options.labels)
  const labels = evaluated.map((label) => set.labels[label]!.name)
  const observations = examples.ids.length
  return {
    subject: {
      metric: task === 'single-label' ? 'Top-1' : labels.length === 1 ? 'AUC' : 'macro AUC',
      model: modelName(model),
      observations: `${observations} observations of the ${part} part`,
      labels,
      resamples,
    },
    values: metricOfMasks({
      rows: examples.rows,
      predict: model.predict,
      score: scoreOf(task, examples, { evaluated, seed, resamples }),
      signal,
      onMask: (measured) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${measured} subsets measured `)
      },
    }),
    record: {
      metric: task === 'single-label' ? 'top-1' : 'macro-auc',
      part,
      observations,
      labels,
      seed,
      resamples,
    },
  }
}

const scoreOf = (
  task: Task,
  { labels: values, ids }: Examples,
  options: { readonly evaluated: readonly number[]; readonly seed: number; readonly resamples: number },
) => {
  const labels = allLabels(values)
  const count = labels.length / ids.length
  return (logits: ArrayLike<number>) =>
    task === 'single-label'
      ? resampledTop1(logits, labels, { count, ...options })
      : resampledMacroAuc(logits, labels, { count, ...options })
}

const labelsThatCount = (set: TrainingSet, names: readonly string[] | undefined): readonly number[] => {
  const known = labelsInAllParts(set)
  if (known.length === 0) {
    throw new UsageError('--bundle: none of its labels has both answers in every part of these data')
  }
  if (names === undefined) return known
  if (taskOf(set) === 'single-label') throw new UsageError('--label: Top-1 is a score of all classes together')
  return labelsNamed(set, names).map((label) => {
    if (known.includes(label)) return label
    throw new UsageError(`--label: "${set.labels[label]!.name}" does not have both answers in every part of these data`)
  })
}

/** By index. Throws a UsageError that lists what there is. */
export const labelsNamed = ({ labels }: Pick<TrainingSet, 'labels'>, names: readonly string[]): readonly number[] =>
  names.map((name) => {
    const index = labels.findIndex((label) => label.name === name)
    if (index >= 0) return index
    throw new UsageError(`--label: no label "${name}"; there are ${labels.map((label) => label.name).join(', ')}`)
  })

/** Whichever part it lies in. Throws a UsageError. */
export const observationNamed = ({ train, validation, test }: TrainingSet, id: string): TokenSet => {
  for (const examples of [test, validation, train]) {
    const index = examples?.ids.indexOf(id) ?? -1
    if (index >= 0) return inMemory(examples!.rows.at(index)!)
  }
  const some = (test ?? validation).ids.slice(0, 3).join(', ')
  throw new UsageError(`--observation: the data have no "${id}"; there are ${some} …`)
}
