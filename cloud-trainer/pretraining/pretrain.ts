/**
 * Self-supervised pre-training: hidden tokens are predicted from visible ones under any masking strategy.
 * No label is looked at. The stage's one entry.
 */
import { randomStream } from '#shared/std/random.ts'
import type { ScoreHistory } from '../masking/imbalance.ts'
import type { StrategyOptions } from '../masking/strategy.ts'
import { initialWeights, reconstructionTable } from '../model/parameters.ts'
import type { TargetScale } from '../model/reconstruction-batch.ts'
import { modalitySubset } from '../model/subset.ts'
import { openRun, runEpochs } from '../training/epochs.ts'
import { averagedWeights } from '../training/optimizer.ts'
import { basePlan } from '../training/plan.ts'
import { shareExamples } from '../training/shared-examples.ts'
import { endEpoch, takeStep } from '../training/steps.ts'
import type { Trained, TrainOptions } from '../training/train.ts'
import { TrainingError } from '../training/training-error.ts'
import { openGuessers } from './guessers.ts'
import { proxyScores } from './proxy.ts'
import { targetScale } from './target-scale.ts'

/** `config.labels` and the labels of the set count for nothing. */
export type PretrainOptions = Omit<TrainOptions, 'startFrom' | 'distillation' | 'probe' | 'scoreSample'>

export type Pretrained = Pick<
  Trained,
  | 'config'
  | 'seed'
  | 'strategy'
  | 'epochs'
  | 'selectedEpoch'
  | 'batchSize'
  | 'learningRate'
  | 'weightDecay'
  | 'warmupSteps'
  | 'workers'
  | 'notes'
  | 'seconds'
> & {
  /** Averaged weights by `reconstructionTable`: the encoder, then the decoder. */
  readonly weights: Float32Array
  /** What the decoder's numbers are relative to. */
  readonly scale: TargetScale
  /** What would lean the masks of the next epoch; a probe holds on to it. */
  readonly scores: ScoreHistory
}

/** As `train`: resumes from the folder's checkpoints, leaves one when aborted. Throws TrainingError. */
export const pretrain = async (options: PretrainOptions): Promise<Pretrained> => {
  const { set, config, workers, onProgress = () => {} } = options
  const { layout } = set
  requireHiding(options.strategy)
  requireRows(options)
  const table = reconstructionTable(config, layout)
  const base = basePlan({ ...options, startFrom: null }, table)
  const plan = { ...base, settings: { ...base.settings, objective: 'reconstruction' as const } }
  const opened = await openRun(options.folder, plan, () =>
    initialWeights(table, config, layout, randomStream(options.seed, 'init')),
  )
  const { run } = opened
  const train = shareExamples(layout, set.labels.length, set.train)
  const measured = shareExamples(layout, set.labels.length, set.validation)
  const stepsPerEpoch = Math.ceil(plan.count / plan.settings.batchSize)
  const { batchSize } = plan.settings
  const { epochs } = options
  onProgress({
    kind: 'started',
    parameters: table.total,
    workers,
    batchSize,
    stepsPerEpoch,
    epochs,
    unlearnable: [],
    strategy: plan.settings.strategy,
  })
  if (opened.isResumed) {
    onProgress({ kind: 'resumed', epoch: run.records.length + 1, step: run.epoch.steps, notes: run.notes })
  }

  const scale = targetScale(layout, set.train.rows)
  await using guessers = openGuessers({ config, layout, train, measured, scale, workers })
  const indices = layout.modalities.map((_, m) => m)
  const alone = indices.map((m) => modalitySubset(layout, [m], 'single').hidden)
  const without = alone.map((hidden) => hidden.map((value) => 1 - value))
  const measure = async (weights: Float32Array) => {
    const errors = await guessers.errors(weights, [...alone, ...without])
    return proxyScores(errors.slice(0, alone.length), errors.slice(alone.length))
  }
  await runEpochs(opened, {
    epochs,
    patience: options.patience,
    stepsPerEpoch,
    step: () => takeStep(guessers, run, plan, set, train, stepsPerEpoch),
    endEpoch: () => endEpoch(run, plan, measure),
    signal: options.signal,
    onProgress,
  })
  // A single modality has no score that one epoch could be better by.
  const best = options.select === 'best' && indices.length > 1 ? run.best : null
  const { strategy, seed, learningRate, weightDecay, warmupSteps } = plan.settings
  return {
    weights: best?.weights ?? averagedWeights(run.optimizer),
    scale,
    scores: run.strategy.state(),
    config,
    seed,
    strategy,
    epochs: run.records,
    selectedEpoch: best?.epoch ?? run.records.length,
    batchSize,
    learningRate,
    weightDecay,
    warmupSteps,
    workers,
    notes: run.notes,
    seconds: run.records.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

/** Nothing is learned where nothing is hidden. */
const requireHiding = (strategy: StrategyOptions): void => {
  if (strategy.name !== 'none' && !('rate' in strategy && strategy.rate === 0)) return
  throw new TrainingError('unusable-set', `the strategy "${strategy.name}" hides nothing that could be predicted`, {
    hint: 'Choose one that hides tokens.',
  })
}

const requireRows = ({ set }: PretrainOptions): void => {
  for (const part of ['train', 'validation'] as const) {
    let tokens = 0
    for (const { hidden } of set[part].rows) for (const value of hidden) tokens += 1 - value
    if (tokens > 0) continue
    throw new TrainingError('unusable-set', `the ${part} part has no token to predict`, {
      hint: 'Check which columns and files the description names.',
    })
  }
}
