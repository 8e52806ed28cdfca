/**
 * Epochs of training with 10,000 observations on two threads: what steps take beside the runs of the graph that they
 * consist of, and what the scores at the end of an epoch take beside its steps: those of all 2,000 observations of the
 * validation part (a sixth of all), and of a sample of 400. Sides alternate; ratios are medians over
 * rounds, and above 1 when the side that a row is named after is faster.
 */
import { cpus, loadavg } from 'node:os'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { placesOf } from '#cloud/model/inference-batches.ts'
import type { MemorySet, TrainingSet } from '#cloud/model/training-set.ts'
import { type Crew, openCrew } from '#cloud/training/crew.ts'
import { averagedWeights } from '#cloud/training/optimizer.ts'
import { firstWeights, learnableLabels, measurableLabels, planOf } from '#cloud/training/plan.ts'
import { type Run, type RunPlan, startEpoch, startRun } from '#cloud/training/run.ts'
import { withScoreSample } from '#cloud/training/score-sample.ts'
import { scoreModalities } from '#cloud/training/scores.ts'
import { featuresAt, labelsAt, type SharedExamples, shareExamples } from '#cloud/training/shared-examples.ts'
import { deal } from '#cloud/training/split.ts'
import { type GradientSource, takeStep } from '#cloud/training/steps.ts'
import { DEFAULT_TRAINING } from '#cloud/training/train.ts'
import { runtimeVersion } from '#shared/platform/ort.ts'
import { openThread } from '#shared/platform/thread.ts'
import { exampleTrainingSet } from '../support/example-training-set.ts'
import { pairedRatios, type Spread, spread } from './statistics.ts'
import type { StepShare, StepWorkerData, StepWorkerRequest } from './step-worker.ts'

const WORKERS = 2

type Shape = { readonly name: string; readonly tokens: readonly number[]; readonly labels: number }

/** Five tables as those of SWI, and as many tokens as tables with a picture have. */
const SHAPES: readonly Shape[] = [
  { name: '13 tokens', tokens: [4, 2, 3, 2, 2], labels: 30 },
  { name: '60 tokens', tokens: [20, 16, 12, 8, 4], labels: 100 },
]

type Size = {
  readonly train: number
  readonly validation: number
  /** Of the validation part, as with `--score-sample`. */
  readonly sample: number
  readonly rounds: number
  readonly steps: number
}

const sizeOf = (small: boolean): Size =>
  small
    ? { train: 1_000, validation: 200, sample: 40, rounds: 3, steps: 8 }
    : { train: 10_000, validation: 2_000, sample: 400, rounds: 5, steps: 79 }

type Times = { readonly wallMs: number; readonly cpuMs: number }

/** All threads of this process. */
const timed = async (act: () => Promise<unknown>): Promise<Times> => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await act()
  const wallMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { wallMs, cpuMs: (user + system) / 1e3 }
}

const plus = (a: Times, b: Times): Times => ({ wallMs: a.wallMs + b.wallMs, cpuMs: a.cpuMs + b.cpuMs })

export type EpochRow = {
  readonly suite: 'epoch'
  readonly name: string
  readonly hiddenShare: null
  /** What the ratios are against: its time over ours. */
  readonly peer: string
  readonly ratioWall: number
  readonly ratioCpu: number
} & Readonly<Record<string, unknown>>

type Sides = {
  readonly name: string
  readonly peer: string
  readonly ours: readonly Times[]
  readonly against: readonly Times[]
}

const rowOf = ({ name, peer, ours, against }: Sides, facts: Readonly<Record<string, unknown>>): EpochRow => {
  const of = (rounds: readonly Times[], time: keyof Times) => rounds.map((round) => round[time])
  const wall = pairedRatios(of(against, 'wallMs'), of(ours, 'wallMs'))
  const cpu = pairedRatios(of(against, 'cpuMs'), of(ours, 'cpuMs'))
  return {
    suite: 'epoch',
    name,
    hiddenShare: null,
    peer,
    ratioWall: wall.median,
    ratioCpu: cpu.median,
    ratioWallRange: [wall.least, wall.most],
    ratioCpuRange: [cpu.least, cpu.most],
    oursMs: spread(of(ours, 'wallMs')),
    oursCpuMs: spread(of(ours, 'cpuMs')),
    peerMs: spread(of(against, 'wallMs')),
    peerCpuMs: spread(of(against, 'cpuMs')),
    ...facts,
  }
}

/** A run of one strategy, to be driven epoch by epoch. */
type Driven = {
  /** Steps from the start of an epoch. */
  readonly steps: (count: number, crew?: GradientSource) => Promise<void>
  readonly score: () => Promise<void>
}

const exampleSet = (shape: Shape, { train, validation }: Size, seed: number): MemorySet => {
  const modalities = shape.tokens.map((tokens, m) => ({ name: `m${m}`, tokens, noise: 1 }))
  return exampleTrainingSet({ modalities, labels: shape.labels, train, validation, seed })
}

/** `set`: whose validation part is scored. */
const openWorld = (set: TrainingSet, config: ModelConfig) => {
  const train = shareExamples(set.layout, config.labels, set.train)
  const validation = shareExamples(set.layout, config.labels, set.validation)
  const labelWeights = learnableLabels(set)
  const crew = openCrew({ config, layout: set.layout, train, validation, labelWeights, workers: WORKERS })
  return { set, config, crew, train, validation, [Symbol.asyncDispose]: () => crew[Symbol.asyncDispose]() }
}

type World = {
  readonly set: TrainingSet
  readonly config: ModelConfig
  readonly crew: Crew
  readonly train: SharedExamples
  readonly validation: SharedExamples
}

const drive = ({ set, config, crew, train, validation }: World, name: 'uniform' | 'miam', seed: number): Driven => {
  const strategy = { name }
  const options = { ...DEFAULT_TRAINING, set, config, strategy, seed, workers: WORKERS, folder: null, startFrom: null }
  const plan: RunPlan = planOf(options)
  const run: Run = startRun(plan, firstWeights(options, plan))
  const evaluated = measurableLabels(set, learnableLabels(set))
  const stepsPerEpoch = Math.ceil(plan.count / plan.settings.batchSize)
  return {
    steps: async (count, source = crew) => {
      run.epoch = startEpoch(run.streams, plan.count)
      for (let i = 0; i < count; i++) await takeStep(source, run, plan, set, train, stepsPerEpoch)
    },
    score: async () => {
      const { single } = await scoreModalities(crew, averagedWeights(run.optimizer), set, validation, evaluated)
      run.strategy.scored(single)
    },
  }
}

type Batch = { readonly rows: Int32Array; readonly hidden: Uint8Array }

/** The same steps as nothing but runs of the graph, with all feeds packed before. */
const openPureSteps = ({ set, config, train }: World, seed: number) => {
  const { layout } = set
  const labelWeights = learnableLabels(set)
  const options = { ...DEFAULT_TRAINING, set, config, strategy: { name: 'none' as const }, seed }
  const whole = { ...options, workers: WORKERS, folder: null, startFrom: null }
  const data: StepWorkerData = { config, layout, labelWeights, weights: firstWeights(whole, planOf(whole)) }
  const threads = Array.from({ length: WORKERS }, () =>
    openThread<StepWorkerRequest, null>(new URL('./step-worker.ts', import.meta.url), data),
  )
  const sharesOf = ({ rows, hidden }: Batch): readonly StepShare[] => {
    const slots = layout.slots.length
    const masks = Array.from(rows, (_, i) => hidden.slice(i * slots, (i + 1) * slots))
    const places = masks.map((mask) => placesOf(config, layout, mask))
    return deal(places, WORKERS).map((share) => ({
      rows: share.map((i) => ({ features: featuresAt(train, layout, rows[i]!), hidden: masks[i]! })),
      labels: Float32Array.from(share.flatMap((i) => [...labelsAt(train, config.labels, rows[i]!)])),
    }))
  }
  return {
    pack: async (batches: readonly Batch[]): Promise<void> => {
      const shares = batches.map(sharesOf)
      await Promise.all(threads.map((thread, w) => thread.ask({ kind: 'pack', steps: shares.map((own) => own[w]!) })))
    },
    run: async (steps: number): Promise<void> => {
      for (let step = 0; step < steps; step++) await Promise.all(threads.map((own) => own.ask({ kind: 'run', step })))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

/** Sends its batches on, and keeps them. */
const recording = (crew: Crew, batches: Batch[]): GradientSource => ({
  gradient: (weights, rows, hidden, draw) => {
    batches.push({ rows: rows.slice(), hidden: hidden.slice() })
    return crew.gradient(weights, rows, hidden, draw)
  },
})

const measureShape = async (shape: Shape, size: Size, seed: number): Promise<readonly EpochRow[]> => {
  const { train, validation, sample, rounds, steps } = size
  const set = exampleSet(shape, size, seed)
  const config = defaultModelConfig(shape.labels)
  await using world = openWorld(set, config)
  await using sampled = openWorld(withScoreSample(set, sample, seed), config)
  await using pure = openPureSteps(world, seed)
  const { crew } = world
  const uniform = drive(world, 'uniform', seed)
  const miam = drive(world, 'miam', seed)
  const onSample = drive(sampled, 'miam', seed)
  const warm: Batch[] = []
  await miam.steps(2, recording(crew, warm))
  await pure.pack(warm)
  await pure.run(2)
  await miam.score()
  await onSample.score()

  const times = {
    ...{ uniform: [] as Times[], runs: [] as Times[], miam: [] as Times[] },
    ...{ scores: [] as Times[], sampled: [] as Times[] },
  }
  for (let round = 0; round < rounds; round++) {
    const batches: Batch[] = []
    times.uniform.push(await timed(() => uniform.steps(steps, recording(crew, batches))))
    await pure.pack(batches)
    times.runs.push(await timed(() => pure.run(steps)))
    times.miam.push(await timed(() => miam.steps(steps)))
    times.scores.push(await timed(miam.score))
    times.sampled.push(await timed(onSample.score))
  }
  const facts = {
    ...{ seed, rounds, steps, train, validation, sample, batch: DEFAULT_TRAINING.batchSize, workers: WORKERS },
    ...{ shape: `D ${config.width}, L ${config.layers}, ${shape.name}, ${shape.labels} labels` },
  }
  const withScores = (epochs: readonly Times[], scores: readonly Times[]) =>
    epochs.map((epoch, round) => plus(epoch, scores[round]!))
  const peer = 'the steps of Uniform alone'
  return [
    {
      ...{ name: `steps, ${shape.name}`, peer: 'runs of the graph with feeds packed before' },
      ...{ ours: times.uniform, against: times.runs },
    },
    {
      ...{ name: `steps and scores on ${validation}, ${shape.name}`, peer },
      ...{ ours: withScores(times.uniform, times.scores), against: times.uniform },
    },
    {
      ...{ name: `steps and scores on ${sample}, ${shape.name}`, peer },
      ...{ ours: withScores(times.uniform, times.sampled), against: times.uniform },
    },
    {
      ...{ name: `steps of MIAM and scores on ${sample}, ${shape.name}`, peer },
      ...{ ours: withScores(times.miam, times.sampled), against: times.uniform },
    },
  ].map((sides) => rowOf(sides, facts))
}

const report = ({ name, peer, ratioWall, ratioCpu, ...row }: EpochRow): void => {
  const [ours, against] = [(row.oursMs as Spread).median, (row.peerMs as Spread).median]
  const times = `${ours.toFixed(0)} ms, ${peer} ${against.toFixed(0)} ms`
  const ratios = `wall × ${(1 / ratioWall).toFixed(3)}, CPU × ${(1 / ratioCpu).toFixed(3)}`
  process.stderr.write(`${name}: ${times}; ${ratios}\n`)
}

export const runEpochBench = async (options: {
  readonly small: boolean
  readonly seed: number
}): Promise<readonly EpochRow[]> => {
  const size = sizeOf(options.small)
  const machine = `${cpus().length} × ${cpus()[0]!.model}, load ${loadavg()[0]!.toFixed(2)}, ${WORKERS} threads`
  const versions = `Node ${process.versions.node}, ONNX Runtime ${runtimeVersion()}`
  process.stderr.write(`epoch: ${size.train} + ${size.validation} observations; seed ${options.seed}; `)
  process.stderr.write(`${size.rounds} rounds\n${machine}; ${versions}\n`)
  const rows: EpochRow[] = []
  for (const shape of SHAPES) rows.push(...(await measureShape(shape, size, options.seed)))
  for (const row of rows) report(row)
  return rows.map((row) => ({ ...row, machine, versions }))
}
