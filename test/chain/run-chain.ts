/** The whole chain on real data: train, publish, install, send the test sites through a station, compare. */
import { join } from 'node:path'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import { DatasetError } from '#cloud/dataset/dataset-error.ts'
import type { DatasetWarning, RawSet } from '#cloud/dataset/raw-set.ts'
import { readFolder } from '#cloud/dataset/read-folder.ts'
import { calibrated } from '#cloud/evaluation/calibrate.ts'
import type { Evaluation } from '#cloud/evaluation/evaluate.ts'
import type { PartialInput } from '#cloud/evaluation/subsets.ts'
import { evaluatedLabels } from '#cloud/metrics/auc.ts'
import type { Subset } from '#cloud/model/subset.ts'
import type { TrainingSet } from '#cloud/model/training-set.ts'
import { type Recipe, trainingOf } from '#cloud/recipe.ts'
import { type BundleProgress, trainBundle } from '#cloud/train-bundle.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { Precision } from '#shared/bundle/precision.ts'
import { randomStream } from '#shared/std/random.ts'
import { type Comparison, compare, complaintsOf, FEWEST_OF_A_CLASS, type SubsetProbabilities } from './compare.ts'
import { lossesOf } from './losses.ts'
import { keepsTime, messagesOf, planRounds, type Showing } from './plan.ts'
import { FAMILY } from './station-file.ts'
import { runStation, type StationProgress, type StationRun } from './station-run.ts'
import { chainSubsets, defaultPartial } from './subsets.ts'

export type ChainOptions = {
  readonly data: string
  readonly recipe: Recipe
  readonly modalities?: readonly string[]
  /** Sides of the image windows of a disdat folder and of their patches; its defaults when absent. */
  readonly window?: number
  readonly patch?: number
  readonly partial?: readonly PartialInput[]
  /** Fewer subsets. */
  readonly quick: boolean
  /** At most so many test sites, drawn by the seed. */
  readonly sites?: number
  /** For everything that the chain writes; must be empty. */
  readonly folder: string
  readonly onProgress: (progress: ChainProgress) => void
  readonly onWarning: (warning: DatasetWarning) => void
  readonly signal: AbortSignal
}

export type ChainProgress =
  | { readonly kind: 'read'; readonly train: number; readonly validation: number; readonly test: number }
  | { readonly kind: 'sending'; readonly total: number }
  | BundleProgress
  | StationProgress

export type ChainReport = {
  readonly comparison: Comparison
  /** Empty when the chain holds. */
  readonly complaints: readonly string[]
  readonly station: StationRun
  readonly sites: number
  readonly labels: readonly string[]
  readonly strategy: Readonly<Record<string, string | number>>
  readonly datasetHash: string
  /** Of the model that the station ran. */
  readonly precision: Precision
  readonly trainingSeconds: number
  readonly seconds: number
}

export const runChain = async (options: ChainOptions): Promise<ChainReport> => {
  const startedMs = performance.now()
  const { data, recipe, folder, signal, onProgress, onWarning } = options
  const { seed } = recipe
  const { modalities, window, patch } = options
  const whole = await readFolder(data, {
    ...(modalities === undefined ? {} : { modalities }),
    ...(window === undefined ? {} : { window }),
    ...(patch === undefined ? {} : { patch }),
    onWarning,
  })
  const raw = options.sites === undefined ? whole : withFewerTestSites(whole, options.sites, seed)
  const set = buildTrainingSet(raw, { onWarning })
  const { test, layout } = set
  if (test === null) throw new DatasetError('too-few', 'the chain needs a test part')
  if (evaluatedLabels(test.labels, set.labels.length, FEWEST_OF_A_CLASS).length === 0) {
    const what = `no label has ${FEWEST_OF_A_CLASS} positives and as many negatives among the test sites`
    throw new DatasetError('too-few', what)
  }
  onProgress({
    kind: 'read',
    train: set.train.ids.length,
    validation: set.validation.ids.length,
    test: test.ids.length,
  })
  const partial = options.partial ?? defaultPartial(raw)
  const subsets = chainSubsets(layout, partial, { quick: options.quick })

  const bundleFolder = join(folder, 'bundle')
  const { manifest, trained, evaluation } = await trainBundle({
    set,
    training: trainingOf(recipe, {
      labels: set.labels.length,
      task: set.task,
      folder: join(folder, 'checkpoints'),
    }),
    family: FAMILY,
    parent: null,
    createdAtMs: Date.now(),
    bundleFolder,
    partial,
    resamples: recipe.resamples,
    precision: recipe.precision,
    signal,
    onProgress,
  })

  const examples = raw.examples.filter(({ part }) => part === 'test')
  const nowMs = Date.now()
  const plan = planRounds({ examples, layout, subsets, seed, nowMs, keepsTime: keepsTime(raw) })
  const showings = plan.flat()
  onProgress({ kind: 'sending', total: showings.reduce((sum, it) => sum + it.readings.length, 0) })
  const rounds = (function* () {
    for (const [round, some] of plan.entries()) yield messagesOf(round, some, { layout, seed })
  })()
  const station = await runStation({ folder, bundleFolder, rounds, onProgress, signal })

  const trainer = { manifest, test: evaluation.test! }
  const comparison = compare(
    probabilitiesOf({ set, subsets, showings, station, trainer }),
    test.labels,
    set.labels.length,
  )
  return {
    comparison,
    complaints: [...lossesOf(showings, station), ...complaintsOf(comparison)],
    station,
    sites: examples.length,
    labels: comparison.evaluated.map((label) => set.labels[label]!.name),
    strategy: trained.strategy,
    datasetHash: set.hash,
    precision: manifest.precision?.kind ?? 'float32',
    trainingSeconds: trained.seconds,
    seconds: (performance.now() - startedMs) / 1000,
  }
}

const withFewerTestSites = (raw: RawSet, most: number, seed: number): RawSet => {
  const sites = raw.examples.flatMap(({ part }, i) => (part === 'test' ? [i] : []))
  const chosen = new Set(randomStream(seed, 'chain/sites').shuffle(sites).slice(0, most))
  return { ...raw, examples: raw.examples.filter(({ part }, i) => part !== 'test' || chosen.has(i)) }
}

type Sides = {
  readonly set: TrainingSet
  readonly subsets: readonly Subset[]
  readonly showings: readonly Showing[]
  readonly station: StationRun
  readonly trainer: { readonly manifest: Manifest; readonly test: Evaluation }
}

/** The edge's as it stored them; the trainer's from its own evaluation, calibrated as the manifest says. */
const probabilitiesOf = ({ set, subsets, showings, station, trainer }: Sides): readonly SubsetProbabilities[] => {
  const count = set.labels.length
  const cells = set.test!.labels.length
  const edge = subsets.map(() => new Float64Array(cells).fill(Number.NaN))
  const stored = new Map(station.predictions.map((prediction) => [prediction.observation, prediction]))
  for (const { site, subset, observation } of showings) {
    const prediction = stored.get(observation)
    if (prediction) edge[subset]!.set(prediction.probabilities, site * count)
  }
  return subsets.map((subset, s) => {
    const seen = trainer.test.seen.find((it) => it.subset.name === subset.name)!
    return {
      subset,
      edge: edge[s]!,
      trainer: Float64Array.from(calibrated(set.layout, trainer.manifest.calibration, seen, set.task)),
    }
  })
}
