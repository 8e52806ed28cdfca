/** What a run is before its first step: settings, labels that can be learned and measured, first weights. */
import { assert } from '#shared/std/assert.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { openStrategy } from '../masking/strategy.ts'
import { evaluatedLabels } from '../metrics/auc.ts'
import { initialWeights, parameterTable } from '../model/parameters.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { type LabelWeights, labelWeights } from './label-weights.ts'
import type { RunPlan } from './run.ts'
import { hashOfWeights, thisEngine } from './settings.ts'
import type { TrainOptions } from './train.ts'
import { TrainingError } from './training-error.ts'

const tokensByModality = ({ modalities, slots }: TokenLayout): readonly number[] =>
  modalities.map((_, m) => slots.filter((slot) => slot.modality === m).length)

/** A small training part still makes at least four steps an epoch. */
const batchOf = (batchSize: number, count: number): number => Math.max(1, Math.min(batchSize, Math.floor(count / 4)))

export const planOf = (options: TrainOptions): RunPlan => {
  const { set, config, strategy, seed, learningRate, weightDecay, warmupSteps, startFrom, workers } = options
  assert(config.labels === set.labels.length, 'the model has the labels of the set', {
    model: config.labels,
    set: set.labels.length,
  })
  const count = set.train.rows.length
  const tokens = tokensByModality(set.layout)
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
    table: parameterTable(config, set.layout),
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

export const learnableLabels = ({ train, labels }: TrainingSet): LabelWeights => {
  const weights = labelWeights(train.labels, labels.length)
  if (weights.learnable.length > 0) return weights
  throw new TrainingError('unusable-set', 'no label has both a positive and a negative in the training part', {
    hint: 'Label more observations, absences too.',
  })
}

/** Labels by index that the scores are the mean of: learnable, and with both classes in the validation part. */
export const measurableLabels = (
  { validation, labels }: TrainingSet,
  { learnable }: LabelWeights,
): readonly number[] => {
  const measurable = evaluatedLabels(validation.labels, labels.length).filter((c) => learnable.includes(c))
  if (measurable.length > 0) return measurable
  throw new TrainingError(
    'unusable-set',
    'no label that can be learned has both a positive and a negative in the validation part',
    { hint: 'Label more observations, or give the validation part more of them.' },
  )
}
