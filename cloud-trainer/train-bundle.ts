/** From a training set to a bundle that can be published: train, measure on every subset, calibrate, export. */
import type { Manifest } from '#shared/bundle/manifest.ts'
import { type Task, taskOf } from '#shared/domain/task.ts'
import { choosePrecision, type Measured, type WantedPrecision } from './choose-precision.ts'
import { calibrated, expectedCalibrationError, fitTemperatures } from './evaluation/calibrate.ts'
import { calibrationErrors as calibrationErrorsOf, halvedErrors } from './evaluation/calibration-errors.ts'
import { type Evaluation, evaluateSubsets, labelsInAllParts, type SubsetScore } from './evaluation/evaluate.ts'
import { type PartialInput, subsetsToMeasure } from './evaluation/subsets.ts'
import { fitThresholds } from './evaluation/thresholds.ts'
import { topAnswers } from './evaluation/top-answers.ts'
import { withBaseRates } from './export/base-rates.ts'
import type { Verification } from './export/verify.ts'
import { writeBundle } from './export/write-bundle.ts'
import { openPredictor, type Predictor } from './model/predictor.ts'
import { allLabels } from './model/token-rows.ts'
import type { Examples, TrainingSet } from './model/training-set.ts'
import { weightsFor } from './training/label-weights.ts'
import type { TrainProgress } from './training/progress.ts'
import { type Trained, type TrainOptions, train } from './training/train.ts'

export type BundleProgress =
  | TrainProgress
  | { readonly kind: 'measuring'; readonly part: 'validation' | 'test' }
  | { readonly kind: 'exporting' }

export type TrainBundleOptions = {
  readonly set: TrainingSet
  readonly training: Omit<TrainOptions, 'set' | 'signal' | 'onProgress'>
  readonly family: string
  /** Version of the model that this one replaces; null for the first. */
  readonly parent: string | null
  readonly createdAtMs: number
  /** Where the bundle appears when it is whole. */
  readonly bundleFolder: string
  /** Subsets to measure besides the standard ones. */
  readonly partial?: readonly PartialInput[]
  /** The form of the exported model; float32 when absent, and when a smaller one would score worse (choose-precision.ts). */
  readonly precision?: WantedPrecision | undefined
  /** Of the bootstrap; 200 when absent. */
  readonly resamples?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: BundleProgress) => void
}

export type TrainedBundle = {
  readonly manifest: Manifest
  /** Its weights are those that training can go on from; the exported ones have base rates put back. */
  readonly trained: Trained
  readonly evaluation: {
    readonly validation: Evaluation
    /** Null when the set has no test part. */
    readonly test: Evaluation | null
  }
  /**
   * Expected calibration error with everything visible, on the validation part that the temperatures were fitted on;
   * in the single-label task that of the most probable class.
   */
  readonly calibrationError: { readonly before: number; readonly after: number }
  readonly verification: Verification
}

export const DEFAULT_RESAMPLES = 200

/**
 * The manifest's scores are those of the test part when there is one, else of the validation part, which has then also
 * chosen temperatures and thresholds (neither moves an AUC). Throws what training, the export and the signal throw;
 * with a checkpoint folder the same call goes on where it stopped.
 */
export const trainBundle = async (options: TrainBundleOptions): Promise<TrainedBundle> => {
  const { set, signal, onProgress = () => {}, resamples = DEFAULT_RESAMPLES } = options
  const { layout, labels } = set
  const task = taskOf(set)
  const interruption = signal === undefined ? {} : { signal }
  // Before the training: an unknown subset shows at once.
  const subsets = subsetsToMeasure(layout, options.partial)
  const trained = await train({ ...options.training, ...interruption, set, onProgress })
  const { config, seed } = trained
  // What is measured, calibrated and exported speaks of real frequencies; training goes on from the other.
  const weights = withBaseRates(config, layout, trained.weights, weightsFor(set))
  const evaluated = labelsInAllParts(set)
  const measure = (predictor: Predictor, part: 'validation' | 'test', examples: Examples): Promise<Evaluation> => {
    onProgress({ kind: 'measuring', part })
    return evaluateSubsets(predictor.predict, examples, subsets, { task, evaluated, seed, resamples, ...interruption })
  }
  const { workers: threads } = options.training
  const measureAll = async (predictor: Predictor): Promise<Measured> => ({
    validation: await measure(predictor, 'validation', set.validation),
    test: set.test === null ? null : await measure(predictor, 'test', set.test),
  })
  await using predictor = await openPredictor(config, layout, weights, { threads })
  const exact = await measureAll(predictor)
  const { precision: wanted = 'float32' } = options
  const choice =
    wanted === 'float32'
      ? null
      : await choosePrecision({ wanted, set, config, weights, measured: exact, measure: measureAll, threads, seed })
  // From here on it is about the model that is exported, in whatever numbers.
  const { validation, test } = choice?.measured ?? exact

  const known = allLabels(set.validation.labels)
  const calibration = fitTemperatures(layout, known, validation.seen, task)
  const whole = validation.seen.findLast(({ subset }) => subset.name === 'all')!
  const probabilities = calibrated(layout, calibration, whole, task)
  const errorOf = (some: Manifest['calibration']): number => {
    const said = { probabilities: calibrated(layout, some, whole, task), labels: known }
    const judged = task === 'multi-label' ? said : topAnswers(said.probabilities, said.labels, labels.length)
    return expectedCalibrationError(judged.probabilities, judged.labels)
  }

  const calibrationErrors: Manifest['calibrationErrors'] = {
    measuredOn: test === null ? 'validation-halves' : 'test',
    groups: [
      ...(test === null
        ? halvedErrors({ layout, labels: known, answers: validation.seen, task })
        : calibrationErrorsOf(calibration, {
            layout,
            labels: allLabels(set.test!.labels),
            answers: test.seen,
            task,
          })),
    ],
  }

  onProgress({ kind: 'exporting' })
  const { manifest, verification } = await writeBundle({
    ...interruption,
    folder: options.bundleFolder,
    set,
    config,
    weights,
    family: options.family,
    parent: options.parent,
    createdAtMs: options.createdAtMs,
    scores: (test ?? validation).scores.map(toManifestScore(task)),
    scoredOn: test === null ? 'validation' : 'test',
    calibration,
    calibrationErrors,
    ...(choice === null ? {} : { precision: choice.precision }),
    thresholds: fitThresholds(probabilities, known, labels.length),
    strategy: trained.strategy,
    seed,
  })
  return {
    manifest,
    trained,
    evaluation: { validation, test },
    calibrationError: { before: errorOf([{ group: '*', temperature: 1 }]), after: errorOf(calibration) },
    verification,
  }
}

const toManifestScore =
  (task: Task) =>
  ({ subset, value, low, high }: SubsetScore): Manifest['scores'][number] => ({
    subset,
    metric: task === 'single-label' ? 'top-1' : 'macro-auc',
    value,
    low,
    high,
  })
