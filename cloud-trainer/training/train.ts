/** Training, from a set and a configuration to weights: the stage's one entry. */

import type { ScoreHistory } from '../masking/imbalance.ts'
import type { StrategyOptions } from '../masking/strategy.ts'
import type { ModelConfig } from '../model/config.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { openCrew } from './crew.ts'
import { openRun, runEpochs } from './epochs.ts'
import { averagedWeights } from './optimizer.ts'
import { firstWeights, learnableLabels, measurableLabels, planOf } from './plan.ts'
import type { EpochRecord, TrainProgress } from './progress.ts'
import type { Run, RunPlan } from './run.ts'
import { withScoreSample } from './score-sample.ts'
import { scoreModalities } from './scores.ts'
import { shareExamples } from './shared-examples.ts'
import type { Distillation } from './soft-targets.ts'
import { endEpoch, takeStep } from './steps.ts'

export type TrainOptions = {
  readonly set: TrainingSet
  readonly config: ModelConfig
  readonly strategy: StrategyOptions
  readonly seed: number
  readonly epochs: number
  /** At most; a training part of less than four such batches gets smaller ones. */
  readonly batchSize: number
  readonly learningRate: number
  readonly weightDecay: number
  /** Steps over which the rate rises from 0. */
  readonly warmupSteps: number
  /** Epochs without a better selection score after which the run stops; null: never. */
  readonly patience: number | null
  /**
   * Observations of the validation part, at most, that each epoch's scores are taken from: what leans the masks, and what
   * the best epoch is chosen by. All of them when absent.
   */
  readonly scoreSample?: number
  /** Which epoch's averaged weights are returned. */
  readonly select: 'last' | 'best'
  /** What makes an epoch the best: each modality alone and everything, on average (when absent), or everything alone. */
  readonly bestBy?: 'mean' | 'all'
  /** Worker threads. Equal bits need an equal number. */
  readonly workers: number
  /** Of this run's checkpoints; made when missing. A compatible one is resumed. Null: none are kept. */
  readonly folder: string | null
  /** Weights to start from (x of an earlier run of the same configuration and layout); null: random ones. */
  readonly startFrom: Float32Array | null
  /** Soft targets from the model's own answers; none when absent. */
  readonly distillation?: Distillation
  /**
   * Only the head is trained, on the encoder of `startFrom` as it is, under masks that these scores lean from first to
   * last. Everything is trained when absent.
   */
  readonly probe?: ScoreHistory
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
}

export type Trained = {
  /** Averaged weights (x of the schedule-free optimizer): what is measured and exported. */
  readonly weights: Float32Array
  readonly config: ModelConfig
  readonly seed: number
  /** Name and parameters of the masking strategy. */
  readonly strategy: Readonly<Record<string, string | number>>
  readonly epochs: readonly EpochRecord[]
  /** The epoch (from 1) whose weights these are. */
  readonly selectedEpoch: number
  readonly batchSize: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly warmupSteps: number
  readonly workers: number
  /** Labels that lack a class in the training part: the model knows nothing of them. */
  readonly unlearnable: readonly string[]
  /** What kept the run from being repeatable bit for bit, if anything did. */
  readonly notes: readonly string[]
  readonly seconds: number
}

/** What a run needs besides data, model, strategy and seed. */
export const DEFAULT_TRAINING = {
  epochs: 40,
  batchSize: 128,
  learningRate: 2e-3,
  weightDecay: 0.01,
  warmupSteps: 100,
  patience: null,
  select: 'last',
} as const satisfies Partial<TrainOptions>

/**
 * Trains until the last epoch, or until patience ends. An aborted run writes its checkpoint after the step at hand
 * and throws the signal's reason. Throws TrainingError, and what a failing worker threw as the cause of a ThreadError.
 */
export const train = async (options: TrainOptions): Promise<Trained> => {
  const { set, config, folder, onProgress = () => {} } = options
  const labelWeights = learnableLabels(set)
  const scored = withScoreSample(set, options.scoreSample, options.seed)
  const evaluated = measurableLabels(scored, labelWeights)
  const plan = planOf(options)
  const opened = await openRun(folder, plan, () => firstWeights(options, plan))
  const { run } = opened

  const examples = {
    train: shareExamples(set.layout, config.labels, set.train),
    validation: shareExamples(set.layout, config.labels, scored.validation),
  }
  const stepsPerEpoch = Math.ceil(plan.count / plan.settings.batchSize)
  const unlearnable = labelWeights.unlearnable.map((c) => set.labels[c]!.name)
  onProgress({
    kind: 'started',
    parameters: plan.table.total,
    workers: options.workers,
    batchSize: plan.settings.batchSize,
    stepsPerEpoch,
    epochs: options.epochs,
    unlearnable,
    strategy: plan.settings.strategy,
  })
  if (opened.isResumed) {
    onProgress({ kind: 'resumed', epoch: run.records.length + 1, step: run.epoch.steps, notes: run.notes })
  }

  const { distillation, workers } = options
  const isTaught = distillation !== undefined
  await using crew = openCrew({ config, layout: set.layout, ...examples, labelWeights, workers, isTaught })
  /** The soft targets of an epoch, before its first step here. */
  const prepareEpoch = async (): Promise<void> => {
    if (!isTaught || run.teacher === null) return
    const startedMs = performance.now()
    await crew.teach(run.teacher, distillation.share)
    run.epoch.seconds += (performance.now() - startedMs) / 1000
  }
  const measure = async (weights: Float32Array) => {
    const scores = await scoreModalities(crew, weights, set, examples.validation, evaluated)
    return options.bestBy === 'all' ? { ...scores, selection: scores.all } : scores
  }
  await runEpochs(opened, {
    epochs: options.epochs,
    patience: options.patience,
    stepsPerEpoch,
    prepareEpoch,
    step: () => takeStep(crew, run, plan, set, examples.train, stepsPerEpoch),
    endEpoch: () => endEpoch(run, plan, measure),
    signal: options.signal,
    onProgress,
  })
  return trainedOf(options, plan, run, unlearnable)
}

const trainedOf = (options: TrainOptions, { settings }: RunPlan, run: Run, unlearnable: readonly string[]): Trained => {
  const best = options.select === 'best' ? run.best : null
  return {
    weights: best?.weights ?? averagedWeights(run.optimizer),
    config: options.config,
    seed: settings.seed,
    strategy: settings.strategy,
    epochs: run.records,
    selectedEpoch: best?.epoch ?? run.records.length,
    batchSize: settings.batchSize,
    learningRate: settings.learningRate,
    weightDecay: settings.weightDecay,
    warmupSteps: settings.warmupSteps,
    workers: options.workers,
    unlearnable,
    notes: run.notes,
    seconds: run.records.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}
