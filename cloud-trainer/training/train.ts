/** Training, from a set and a configuration to weights: the stage's one entry. */

import type { StrategyOptions } from '../masking/strategy.ts'
import type { ModelConfig } from '../model/config.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { openCheckpoints } from './checkpoint-folder.ts'
import { openCrew } from './crew.ts'
import { averagedWeights } from './optimizer.ts'
import { firstWeights, learnableLabels, measurableLabels, planOf } from './plan.ts'
import type { EpochRecord, TrainProgress } from './progress.ts'
import { fromCheckpoint, type Run, type RunPlan, startRun, toCheckpoint } from './run.ts'
import { shareExamples } from './shared-examples.ts'
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
  /** Which epoch's averaged weights are returned. */
  readonly select: 'last' | 'best'
  /** Worker threads. Equal bits need an equal number. */
  readonly workers: number
  /** Of this run's checkpoints; made when missing. A compatible one is resumed. Null: none are kept. */
  readonly folder: string | null
  /** Weights to start from (x of an earlier run of the same configuration and layout); null: random ones. */
  readonly startFrom: Float32Array | null
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
  const evaluated = measurableLabels(set, labelWeights)
  const plan = planOf(options)
  const checkpoints = folder === null ? null : await openCheckpoints(folder)
  const run = checkpoints?.newest
    ? fromCheckpoint(plan, checkpoints.newest)
    : startRun(plan, firstWeights(options, plan))
  const save = async () => checkpoints?.write(toCheckpoint(plan, run))

  const examples = {
    train: shareExamples(set.layout, config.labels, set.train),
    validation: shareExamples(set.layout, config.labels, set.validation),
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
  })
  if (checkpoints?.newest) {
    onProgress({ kind: 'resumed', epoch: run.records.length + 1, step: run.epoch.steps, notes: run.notes })
  }

  await using crew = openCrew({ config, layout: set.layout, ...examples, labelWeights, workers: options.workers })
  const eta = timeLeft(run, options.epochs, stepsPerEpoch)
  while (!isFinished(run, options)) {
    while (run.epoch.steps < stepsPerEpoch) {
      if (options.signal?.aborted) {
        await save()
        options.signal.throwIfAborted()
      }
      const loss = await takeStep(crew, run, plan, set, examples.train, stepsPerEpoch)
      const { steps } = run.epoch
      onProgress({ kind: 'step', epoch: run.records.length + 1, step: steps, loss, etaMs: eta() })
    }
    const record = await endEpoch(crew, run, plan, set, examples.validation, evaluated)
    await save()
    onProgress({ kind: 'epoch', record, etaMs: eta() })
  }
  return trainedOf(options, plan, run, unlearnable)
}

const isFinished = ({ records, best }: Run, { epochs, patience }: TrainOptions): boolean =>
  records.length >= epochs || (patience !== null && best !== null && records.length - best.epoch >= patience)

/** Milliseconds that the planned rest takes at the speed since this call. */
const timeLeft = (run: Run, epochs: number, stepsPerEpoch: number): (() => number) => {
  const startedMs = performance.now()
  const done = () => run.records.length * stepsPerEpoch + run.epoch.steps
  const before = done()
  return () => ((performance.now() - startedMs) / Math.max(1, done() - before)) * (epochs * stepsPerEpoch - done())
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
