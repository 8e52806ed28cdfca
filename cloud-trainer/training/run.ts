/** The state of a run, and how it is kept in a checkpoint. */
import { z } from 'zod'
import { type Random, randomFromState, randomStream } from '#shared/std/random.ts'
import { NO_SCORES, type ScoreHistory } from '../masking/imbalance.ts'
import { comparableParameters, type MaskingStrategy, openStrategy, type StrategyOptions } from '../masking/strategy.ts'
import type { ParameterTable } from '../model/parameters.ts'
import type { Checkpoint } from './checkpoint-file.ts'
import { type OptimizerState, startOptimizer } from './optimizer.ts'
import type { EpochRecord } from './progress.ts'
import { differences, type Engine, type RunSettings } from './settings.ts'
import { TrainingError } from './training-error.ts'

/** Streams of their own, so that another strategy does not reshuffle the rest. */
export type Streams = { readonly order: Random; readonly masks: Random; readonly tokens: Random }

export type Run = {
  readonly strategy: MaskingStrategy
  readonly streams: Streams
  readonly records: EpochRecord[]
  readonly notes: string[]
  optimizer: OptimizerState
  best: { readonly epoch: number; readonly score: number; readonly weights: Float32Array } | null
  /** Weights whose answers are part of this epoch's targets; null while there are none. */
  teacher: Float32Array | null
  epoch: EpochInProgress
}

export type EpochInProgress = {
  /** Rows of the training part in this epoch's order. */
  readonly order: Int32Array
  /** State of the order's stream before it was drawn. */
  readonly orderState: ReturnType<Random['state']>
  /** Steps done, the sum of their losses, and the time they took. */
  steps: number
  lossSum: number
  seconds: number
}

export const startEpoch = ({ order }: Streams, count: number): EpochInProgress => {
  const orderState = order.state()
  return {
    orderState,
    order: order.shuffle(Int32Array.from({ length: count }, (_, i) => i)),
    steps: 0,
    lossSum: 0,
    seconds: 0,
  }
}

export type RunPlan = {
  readonly settings: RunSettings
  readonly engine: Engine
  readonly strategy: StrategyOptions
  /** Tokens of each modality. */
  readonly tokens: readonly number[]
  /** Observations of the training part. */
  readonly count: number
  readonly table: ParameterTable
  /** So many weights at the front of the table stay as they are. */
  readonly frozen: number
}

/** As the plan has it: leant by scores that are held, or by those of the run so far. */
const strategyOf = (plan: RunPlan, history: ScoreHistory = NO_SCORES): MaskingStrategy => {
  const { probe } = plan.settings
  return probe === undefined
    ? openStrategy(plan.strategy, plan.tokens, history)
    : { ...openStrategy(plan.strategy, plan.tokens, probe), scored: () => {} }
}

export const startRun = (plan: RunPlan, weights: Float32Array): Run => {
  const { seed } = plan.settings
  const streams: Streams = {
    order: randomStream(seed, 'order'),
    masks: randomStream(seed, 'masks'),
    tokens: randomStream(seed, 'tokens'),
  }
  return {
    strategy: strategyOf(plan),
    streams,
    records: [],
    notes: [],
    optimizer: startOptimizer(weights),
    best: null,
    teacher: null,
    epoch: startEpoch(streams, plan.count),
  }
}

const stateSchema = z.tuple([z.number(), z.number(), z.number(), z.number()])
const numbers = z.array(z.number())
const flags = z.array(z.boolean())

const recordSchema = z.object({
  epoch: z.number(),
  loss: z.number(),
  scores: numbers,
  all: z.number(),
  selection: z.number(),
  masking: z
    .object({
      scoreRatio: numbers,
      speedRatio: numbers,
      lnW: numbers,
      scoreFloored: flags,
      speedFloored: flags,
      clamped: flags,
    })
    .nullable(),
  seconds: z.number(),
})

const headerSchema = z.object({
  schema: z.literal('checkpoint/1'),
  settings: z.looseObject({ strategy: z.record(z.string(), z.union([z.string(), z.number()])) }),
  engine: z.object({ workers: z.number(), cpu: z.string(), node: z.string(), runtime: z.string() }),
  parameters: z.array(z.object({ name: z.string(), shape: numbers, offset: z.number() })),
  optimizer: z.object({ steps: z.number(), largestRate: z.number(), squaredRates: z.number() }),
  streams: z.object({ order: stateSchema, masks: stateSchema, tokens: stateSchema }),
  epoch: z.object({ steps: z.number(), lossSum: z.number(), seconds: z.number() }),
  scores: z.object({ previous: numbers.nullable(), last: numbers.nullable() }),
  records: z.array(recordSchema),
  best: z.object({ epoch: z.number(), score: z.number() }).nullable(),
  notes: z.array(z.string()),
})

type Header = z.infer<typeof headerSchema>

export const toCheckpoint = (plan: RunPlan, run: Run): Pick<Checkpoint, 'header' | 'arrays'> => {
  const { y, z: fast, v, ...optimizer } = run.optimizer
  const { orderState, steps, lossSum, seconds } = run.epoch
  const header: Header = {
    schema: 'checkpoint/1',
    settings: plan.settings,
    engine: plan.engine,
    parameters: parametersOf(plan.table),
    optimizer,
    streams: {
      order: [...orderState],
      masks: [...run.streams.masks.state()],
      tokens: [...run.streams.tokens.state()],
    },
    epoch: { steps, lossSum, seconds },
    scores: copy(run.strategy.state()),
    records: copy(run.records),
    best: run.best && { epoch: run.best.epoch, score: run.best.score },
    notes: run.notes,
  }
  const { best, teacher } = run
  const optional = { ...(best ? { best: best.weights } : {}), ...(teacher ? { teacher } : {}) }
  return { header, arrays: { y, z: fast, v, ...optional } }
}

const parametersOf = ({ specs }: ParameterTable): Header['parameters'] =>
  specs.map(({ name, shape, offset }) => ({ name, shape: [...shape], offset }))

/** A readonly value as the mutable one that it will be in JSON. */
const copy = <T>(value: unknown): T => structuredClone(value) as T

/** Throws TrainingError naming what differs when the checkpoint is of another run. */
export const fromCheckpoint = (plan: RunPlan, { header, arrays }: Checkpoint): Run => {
  const parsed = headerSchema.safeParse(header)
  if (!parsed.success) throw otherRun([`its header is not one of this version: ${z.prettifyError(parsed.error)}`])
  const { settings, parameters, engine, optimizer, streams, epoch, scores, records, best, notes } = parsed.data
  const comparable = <T extends Pick<RunSettings, 'strategy'>>(one: T) => ({
    ...one,
    strategy: comparableParameters(one.strategy),
  })
  // Other settings make other parameters, hundreds of numbers that say no more.
  const inSettings = differences(comparable(settings), comparable(plan.settings))
  const different = inSettings.length > 0 ? inSettings : differences(parameters, parametersOf(plan.table), 'parameters')
  if (different.length > 0) throw otherRun(different)
  const order = randomFromState(streams.order)
  const resumed: Streams = {
    order,
    masks: randomFromState(streams.masks),
    tokens: randomFromState(streams.tokens),
  }
  return {
    strategy: strategyOf(plan, scores),
    streams: resumed,
    records,
    notes: [...new Set([...notes, ...differences(engine, plan.engine)])],
    optimizer: { y: arrays.y!, z: arrays.z!, v: arrays.v!, ...optimizer },
    best: best && { ...best, weights: arrays.best! },
    teacher: arrays.teacher ?? null,
    epoch: { ...startEpoch(resumed, plan.count), ...epoch },
  }
}

const otherRun = (different: readonly string[]): TrainingError =>
  new TrainingError('other-checkpoint', `the checkpoint is of another run: ${different.join('; ')}`, {
    hint: 'Give each run a folder of its own, or repeat the settings of the run that is to be resumed.',
  })
