/** The two moves of a run: a step on one batch, and the end of an epoch. */

import { drawTokenMasks } from '../masking/token-mask.ts'
import type { ParameterTable } from '../model/parameters.ts'
import type { TrainingSet } from '../model/training-set.ts'
import type { Crew } from './crew.ts'
import { applyGradient, averagedWeights } from './optimizer.ts'
import type { EpochRecord } from './progress.ts'
import { type Run, type RunPlan, startEpoch } from './run.ts'
import type { Scores } from './scores.ts'
import { missingAt, type SharedExamples } from './shared-examples.ts'
import { TrainingError } from './training-error.ts'

/** Rows of step `step` of `steps`: batches of an epoch differ in size by one at most. */
const batchRows = (order: Int32Array, step: number, steps: number): Int32Array =>
  order.subarray(Math.floor((step * order.length) / steps), Math.floor(((step + 1) * order.length) / steps))

/** A crew, or whatever else has gradients; null where a batch has nothing to predict. */
export type GradientSource = {
  readonly gradient: (
    ...batch: Parameters<Crew['gradient']>
  ) => Promise<{ readonly loss: number; readonly gradient: Float32Array | null }>
}

/**
 * Returns the loss of the batch; one without anything to predict changes nothing. A gradient that is no number changes
 * nothing either and throws TrainingError.
 */
export const takeStep = async (
  crew: GradientSource,
  run: Run,
  plan: RunPlan,
  { layout }: TrainingSet,
  examples: SharedExamples,
  stepsPerEpoch: number,
): Promise<number> => {
  const startedMs = performance.now()
  const { epoch, streams, strategy } = run
  const rows = batchRows(epoch.order, epoch.steps, stepsPerEpoch)
  const hidden = drawTokenMasks(
    strategy.drawFor(rows.length, streams.masks),
    Uint16Array.from(layout.slots, ({ modality }) => modality),
    Array.from(rows, (row) => missingAt(examples, layout, row)),
    streams.tokens.uniform,
  )
  const { loss, gradient } = await crew.gradient(run.optimizer.y, rows, hidden, {
    seed: plan.settings.seed,
    step: run.optimizer.steps,
  })
  if (gradient !== null) {
    assertFinite(gradient, plan.table)
    run.optimizer = applyGradient(run.optimizer, gradient, plan.settings, plan.frozen)
  }
  epoch.steps++
  epoch.lossSum += loss
  epoch.seconds += (performance.now() - startedMs) / 1000
  return loss
}

/** By index: an iterator takes ten times as long, and every step waits for it. */
const isAllFinite = (values: Float32Array): boolean => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}

const assertFinite = (gradient: Float32Array, { specs }: ParameterTable): void => {
  if (isAllFinite(gradient)) return
  const names = specs
    .filter(({ offset, size }) => !isAllFinite(gradient.subarray(offset, offset + size)))
    .map(({ name }) => name)
  throw new TrainingError('not-finite', `the gradient is not finite in ${names.join(', ')}`, {
    hint: 'Check the values of the set, or lower the learning rate.',
  })
}

/** Measures the averaged weights, tells the strategy, and starts the next epoch. */
export const endEpoch = async (
  run: Run,
  plan: RunPlan,
  measure: (weights: Float32Array) => Promise<Scores & { readonly selection: number }>,
): Promise<EpochRecord> => {
  const startedMs = performance.now()
  const weights = averagedWeights(run.optimizer)
  const { single, all, selection } = await measure(weights)
  const epoch = run.records.length + 1
  const record: EpochRecord = {
    epoch,
    loss: run.epoch.lossSum / run.epoch.steps,
    scores: single,
    all,
    selection,
    masking: run.strategy.imbalance(),
    seconds: run.epoch.seconds + (performance.now() - startedMs) / 1000,
  }
  run.records.push(record)
  if (run.best === null || selection > run.best.score) run.best = { epoch, score: selection, weights }
  run.strategy.scored(single)
  const { distillation } = plan.settings
  if (distillation !== undefined && epoch >= distillation.after) run.teacher = weights
  run.epoch = startEpoch(run.streams, plan.count)
  return record
}
