/** What a run is before its first step: settings, labels that can be learned and measured, first weights. */
import { taskOf } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { openStrategy, refusalOf } from '../masking/strategy.ts'
import { labelCounts } from '../model/label-counts.ts'
import { encoderSize, initialWeights, type ParameterTable, parameterTable } from '../model/parameters.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { type LabelWeights, weightsFor } from './label-weights.ts'
import type { RunPlan } from './run.ts'
import { hashOfWeights, thisEngine } from './settings.ts'
import type { TrainOptions } from './train.ts'
import { TrainingError } from './training-error.ts'

const tokensByModality = ({ modalities, slots }: TokenLayout): readonly number[] =>
  modalities.map((_, m) => slots.filter((slot) => slot.modality === m).length)

/** A small training part still makes at least four steps an epoch. */
const batchOf = (batchSize: number, count: number): number => Math.max(1, Math.min(batchSize, Math.floor(count / 4)))

export const planOf = (options: TrainOptions): RunPlan => {
  const { set, config, distillation, probe, scoreSample } = options
  assert(config.labels === set.labels.length, 'the model has the labels of the set', {
    model: config.labels,
    set: set.labels.length,
  })
  assert(taskOf(config) === taskOf(set), 'the model has the task of the set', { model: config.task, set: set.task })
  const plan = basePlan(options, parameterTable(config, set.layout))
  return {
    ...plan,
    settings: {
      ...plan.settings,
      ...(distillation === undefined ? {} : { distillation }),
      ...(probe === undefined ? {} : { probe }),
      ...(scoreSample === undefined ? {} : { scoreSample }),
    },
    frozen: probe === undefined ? 0 : encoderSize(config, set.layout),
  }
}

type BaseOptions = Pick<
  TrainOptions,
  | 'set'
  | 'config'
  | 'strategy'
  | 'seed'
  | 'batchSize'
  | 'learningRate'
  | 'weightDecay'
  | 'warmupSteps'
  | 'startFrom'
  | 'workers'
>

/** What the plans of all runs have, whatever they learn. Throws TrainingError when the strategy does not suit the set. */
export const basePlan = (options: BaseOptions, table: ParameterTable): RunPlan => {
  const { set, config, strategy, seed, learningRate, weightDecay, warmupSteps, startFrom, workers } = options
  const count = set.train.rows.length
  const tokens = tokensByModality(set.layout)
  const refusal = refusalOf(strategy, tokens.length)
  if (refusal !== null) {
    throw new TrainingError('unusable-set', refusal, {
      hint: 'Choose another strategy, or give the set more modalities.',
    })
  }
  return {
    settings: {
      set: set.hash,
      model: config,
      strategy: openStrategy(strategy, tokens).parameters,
      seed,
      batchSize: batchOf(options.batchSize, count),
      learningRate,
      weightDecay,
      warmupSteps,
      startFrom: startFrom && hashOfWeights(startFrom),
    },
    engine: thisEngine(workers),
    strategy,
    tokens,
    count,
    table,
    frozen: 0,
  }
}

export const firstWeights = ({ config, set, seed, startFrom }: TrainOptions, { table }: RunPlan): Float32Array => {
  if (startFrom === null) return initialWeights(table, config, set.layout, randomStream(seed, 'init'))
  assert(startFrom.length === table.total, 'the weights to start from are of this model', {
    given: startFrom.length,
    model: table.total,
  })
  return startFrom
}

export const learnableLabels = (set: TrainingSet): LabelWeights => {
  if (set.labels.length === 0) {
    throw new TrainingError('unusable-set', 'the set has no labels', {
      hint: 'Describe its labels, or pre-train on it and train on another: trainer pretrain, then trainer train --start-from.',
    })
  }
  const weights = weightsFor(set)
  if (taskOf(set) === 'single-label') {
    requireOneClass(set)
    if (weights.learnable.length > 1) return weights
    throw new TrainingError('unusable-set', 'the training part has fewer than two classes', {
      hint: 'Give it observations of another class.',
    })
  }
  if (weights.learnable.length > 0) return weights
  throw new TrainingError('unusable-set', 'no label has both a positive and a negative in the training part', {
    hint: 'Label more observations, absences too.',
  })
}

/** What a softmax could not answer is a fault of the set, in whichever part it stands. */
const requireOneClass = ({ train, validation, test, labels }: TrainingSet): void => {
  for (const [part, examples] of Object.entries({ train, validation, test })) {
    for (const [i, id] of (examples?.ids ?? []).entries()) {
      const own = examples!.labels.subarray(i * labels.length, (i + 1) * labels.length)
      const classes = own.reduce((sum, y) => sum + (y === 1 ? 1 : 0), 0)
      if (classes < 2) continue
      throw new TrainingError('unusable-set', `observation ${id} of the ${part} part has ${classes} classes, not one`, {
        hint: 'Use the multi-label task for observations with several labels.',
      })
    }
  }
}

/**
 * Labels by index that the scores are the mean of: learnable, and with both classes in the validation part. In the
 * single-label task the classes that can be learned and occur there; Top-1 counts every observation all the same.
 */
export const measurableLabels = (set: TrainingSet, { learnable }: LabelWeights): readonly number[] => {
  const { positive, negative } = labelCounts(set.validation.labels, set.labels.length)
  if (taskOf(set) === 'single-label') {
    const classes = learnable.filter((c) => positive[c]! > 0)
    if (classes.length > 0) return classes
    throw new TrainingError('unusable-set', 'no class that can be learned occurs in the validation part', {
      hint: 'Give the validation part observations of the classes of the training part.',
    })
  }
  const measurable = learnable.filter((c) => positive[c]! > 0 && negative[c]! > 0)
  if (measurable.length > 0) return measurable
  throw new TrainingError(
    'unusable-set',
    'no label that can be learned has both a positive and a negative in the validation part',
    { hint: 'Label more observations, or give the validation part more of them.' },
  )
}
