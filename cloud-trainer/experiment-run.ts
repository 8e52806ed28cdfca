/** One run of an experiment: trains with one strategy and one seed, measures every subset, writes the result. */
import { mkdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { taskOf } from '#shared/domain/task.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { assert } from '#shared/std/assert.ts'
import { randomStream } from '#shared/std/random.ts'
import { resampledMacroAuc, resampledTop1 } from './evaluation/bootstrap.ts'
import {
  type Answers,
  calibrated,
  expectedCalibrationError,
  fitTemperatures,
  reliability,
} from './evaluation/calibrate.ts'
import { evaluateSubsets } from './evaluation/evaluate.ts'
import { topAnswers } from './evaluation/top-answers.ts'
import type { RunResult } from './experiment/run-result.ts'
import { LOGITS_FILE, readResult, readSettings, resultFile, runFolder, subsetsOf } from './experiment-settings.ts'
import { withBaseRates } from './export/base-rates.ts'
import { openStrategy } from './masking/strategy.ts'
import { labelCounts } from './model/label-counts.ts'
import { openPredictor } from './model/predictor.ts'
import type { Subset } from './model/subset.ts'
import { allLabels } from './model/token-rows.ts'
import type { Examples, TrainingSet } from './model/training-set.ts'
import { defaultMemory, openSet } from './open-set.ts'
import { ORACLE_STRATEGY, restrictSet } from './oracle.ts'
import { type Recipe, trainingOf } from './recipe.ts'
import { weightsFor } from './training/label-weights.ts'
import type { EpochRecord } from './training/progress.ts'
import { thisEngine } from './training/settings.ts'
import { type Trained, type TrainOptions, train } from './training/train.ts'
import { TrainingError } from './training/training-error.ts'

/** Of the resamples: equal in all runs, so that they pair. */
const BOOTSTRAP_SEED = 1
/** Fewest positives and negatives among what is measured: an AUC of fewer is mostly luck. */
const FEWEST = 5
const DRAWS = 400

export type RunProgress = {
  /** Epochs done, of all the models that the run trains. */
  readonly epochs: number
}

export type ExperimentRunOptions = {
  readonly folder: string
  readonly variant: string
  readonly seed: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: RunProgress) => void
}

/** May be repeated after any crash: goes on from its checkpoints, and does nothing once its result stands. */
export const runExperimentRun = async (options: ExperimentRunOptions): Promise<void> => {
  const { folder, variant, seed } = options
  if ((await readResult(folder, variant, seed)) !== null) return
  const settings = await readSettings(folder)
  const described = settings?.variants.find(({ key }) => key === variant)
  assert(settings !== null && described !== undefined, 'a run is of its experiment', { folder, variant })
  const { strategy, recipe: shared = settings.recipe } = described
  const own = runFolder(folder, variant, seed)
  await mkdir(own, { recursive: true })
  const { signal, onProgress } = options
  const memory = settings.memory ?? defaultMemory()
  using set = await openSet(settings.source, { memory, ...(signal === undefined ? {} : { signal }) })
  const subsets = subsetsOf(settings, set.layout)
  const part = set.test === null ? 'validation' : settings.part
  const isOracle = strategy.name === 'oracle'
  const recipe: Recipe = { ...shared, strategy: isOracle ? ORACLE_STRATEGY : strategy, seed, workers: 1 }
  // An oracle is asked for nothing but its subset, which is all that it has.
  const bestBy = isOracle ? 'all' : 'mean'
  const work: Work = { set, part, recipe, bestBy, folder: join(own, 'checkpoints'), signal, onProgress }
  const models = isOracle ? await oneForEach(work, subsets) : [await oneForAll(work, subsets)]
  const { trained } = models.at(-1)!
  const seen = models.flatMap((model) => model.seen)
  const { measured, logits } = summarise(set, part, seen, settings.recipe.resamples)
  await writeFileAtomic(join(own, LOGITS_FILE), logits)
  const result: RunResult = {
    schema: 'experiment-run/1',
    variant,
    seed,
    strategy: { ...(isOracle ? { name: 'oracle' } : trained.strategy), ...described.options },
    dataHash: set.hash,
    modalities: set.layout.modalities,
    ...measured,
    epochs: trained.epochs.map(epochOf),
    selectedEpoch: trained.selectedEpoch,
    drawn: drawAfter(recipe, set, trained),
    seconds: {
      training: models.reduce((sum, model) => sum + model.trained.seconds, 0),
      measuring: models.reduce((sum, model) => sum + model.measuringSeconds, 0),
    },
    engine: engineOf(),
  }
  await writeFileAtomic(resultFile(folder, variant, seed), `${JSON.stringify(result)}\n`)
}

type Part = RunResult['part']

type Work = Pick<ExperimentRunOptions, 'signal' | 'onProgress'> & {
  readonly set: TrainingSet
  /** That is measured. */
  readonly part: Part
  readonly recipe: Recipe
  readonly bestBy: NonNullable<TrainOptions['bestBy']>
  /** Of the checkpoints. */
  readonly folder: string
}

/** What a model said about the validation part and what is measured, with one subset visible. */
type Seen = { readonly subset: Subset; readonly validation: Answers; readonly measured: Answers }

type Model = { readonly trained: Trained; readonly seen: readonly Seen[]; readonly measuringSeconds: number }

const oneForAll = async (work: Work, subsets: readonly Subset[]): Promise<Model> => {
  const { set, part, recipe, bestBy, folder, signal, onProgress } = work
  const trained = await train({
    ...trainingOf(recipe, { labels: set.labels.length, task: taskOf(set), folder }),
    set,
    bestBy,
    signal,
    onProgress: (progress) => {
      if (progress.kind === 'epoch') onProgress({ epochs: progress.record.epoch })
      if (progress.kind === 'resumed') onProgress({ epochs: progress.epoch - 1 })
    },
  })
  const startedMs = performance.now()
  const { config } = trained
  const weights = withBaseRates(config, set.layout, trained.weights, weightsFor(set))
  await using predictor = await openPredictor(config, set.layout, weights, { threads: 1 })
  // Scores are computed with their resamples later; no label is counted here.
  const options = { evaluated: [], seed: 0, resamples: 0, signal }
  const look = async (examples: Examples) => (await evaluateSubsets(predictor.predict, examples, subsets, options)).seen
  const validation = await look(set.validation)
  const measured = part === 'validation' ? validation : await look(set[part]!)
  return {
    trained,
    seen: subsets.map((subset, i) => ({ subset, validation: validation[i]!, measured: measured[i]! })),
    measuringSeconds: (performance.now() - startedMs) / 1000,
  }
}

/** An oracle for each subset, each with checkpoints of its own. */
const oneForEach = async (work: Work, subsets: readonly Subset[]): Promise<readonly Model[]> => {
  const models: Model[] = []
  for (const [i, subset] of subsets.entries()) {
    const own: Work = {
      ...work,
      set: restrictSet(work.set, subset),
      folder: join(work.folder, `${i}`),
      onProgress: ({ epochs }) => work.onProgress({ epochs: i * work.recipe.epochs + epochs }),
    }
    models.push(await oneForAll(own, [subset]))
  }
  return models
}

type Summary = Pick<RunResult, 'part' | 'observations' | 'labels' | 'metric' | 'scores' | 'calibration' | 'logits'>

const summarise = (
  set: TrainingSet,
  part: Part,
  seen: readonly Seen[],
  resamples: number,
): { readonly measured: Summary; readonly logits: Iterable<Uint8Array> } => {
  const examples = set[part]!
  const evaluated = labelsThatCount(set, examples)
  return {
    measured: {
      part,
      observations: examples.rows.length,
      labels: evaluated.map((label) => set.labels[label]!.name),
      metric: taskOf(set) === 'single-label' ? 'top-1' : 'macro-auc',
      scores: seen.map(({ subset, measured }) => ({
        subset: subset.name,
        group: subset.group,
        ...resampled(set, examples, measured.logits, { evaluated, resamples }),
      })),
      calibration: calibrationOf(set, examples, seen),
      logits: { file: LOGITS_FILE, shape: [seen.length, examples.rows.length, set.labels.length] },
    },
    logits: bytesOf(seen),
  }
}

/**
 * Labels that could be learned, with enough of each class among what is measured; of the single-label task all that
 * could be learned. That the validation part lacks some of them says nothing of the others. Throws a TrainingError
 * when nothing can be measured.
 */
const labelsThatCount = (set: TrainingSet, examples: Examples): readonly number[] => {
  const { learnable } = weightsFor(set)
  if (taskOf(set) === 'single-label') return learnable
  const { positive, negative } = labelCounts(examples.labels, set.labels.length)
  const evaluated = learnable.filter((label) => positive[label]! >= FEWEST && negative[label]! >= FEWEST)
  if (evaluated.length > 0) return evaluated
  throw new TrainingError(
    'unusable-set',
    `no label that can be learned has ${FEWEST} positives and ${FEWEST} negatives among what is measured`,
    { hint: 'Give the test part more observations.' },
  )
}

const resampled = (
  set: TrainingSet,
  examples: Examples,
  logits: ArrayLike<number>,
  options: { readonly evaluated: readonly number[]; readonly resamples: number },
) => {
  const labels = allLabels(examples.labels)
  const all = { ...options, count: set.labels.length, seed: BOOTSTRAP_SEED }
  const { value, resamples } =
    taskOf(set) === 'single-label' ? resampledTop1(logits, labels, all) : resampledMacroAuc(logits, labels, all)
  return { value, resamples: resamples.map((drawn) => (Number.isNaN(drawn) ? null : drawn)) }
}

/** Fitted on the validation part, judged on what is measured; of the single-label task, the most probable class. */
const calibrationOf = (set: TrainingSet, examples: Examples, seen: readonly Seen[]): RunResult['calibration'] => {
  const { layout, validation, labels } = set
  const task = taskOf(set)
  const fitted = fitTemperatures(
    layout,
    allLabels(validation.labels),
    seen.map((one) => one.validation),
    task,
  )
  const known = allLabels(examples.labels)
  const judged = (answers: Answers, calibration: typeof fitted) => {
    const said = { probabilities: calibrated(layout, calibration, answers, task), labels: known }
    return task === 'multi-label' ? said : topAnswers(said.probabilities, said.labels, labels.length)
  }
  const error = (answers: Answers, calibration: typeof fitted): number => {
    const { probabilities, labels: truth } = judged(answers, calibration)
    return expectedCalibrationError(probabilities, truth)
  }
  const whole = judged(seen.at(-1)!.measured, fitted)
  return {
    bins: reliability(whole.probabilities, whole.labels),
    errors: seen.map(({ subset, measured }) => ({
      subset: subset.name,
      before: error(measured, [{ group: '*', temperature: 1 }]),
      after: error(measured, fitted),
    })),
  }
}

const epochOf = ({ epoch, loss, scores, all, masking, seconds }: EpochRecord): RunResult['epochs'][number] => ({
  epoch,
  loss,
  scores,
  all,
  masking: masking && { scoreRatio: masking.scoreRatio, speedRatio: masking.speedRatio, lnW: masking.lnW },
  seconds,
})

/** p as it would be drawn for the batches after the last epoch: every epoch's scores told again. */
const drawAfter = ({ strategy, seed }: Recipe, { layout }: TrainingSet, { epochs }: Trained): RunResult['drawn'] => {
  const tokens = layout.modalities.map((_, m) => layout.slots.filter((slot) => slot.modality === m).length)
  const opened = openStrategy(strategy, tokens)
  for (const { scores } of epochs) opened.scored(scores)
  const random = randomStream(seed, 'drawn for the report')
  return Array.from({ length: DRAWS }, () => opened.draw(random).map((p) => Number(p.toPrecision(4))))
}

const engineOf = (): RunResult['engine'] => {
  const { node, runtime } = thisEngine(1)
  return { cpu: `${process.arch} ${cpus()[0]?.model ?? 'unknown'}`, node, runtime }
}

/** One subset after another. */
function* bytesOf(seen: readonly Seen[]): Generator<Uint8Array> {
  for (const { measured } of seen) yield new Uint8Array(Float32Array.from(measured.logits).buffer)
}
