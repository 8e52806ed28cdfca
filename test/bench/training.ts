/**
 * Steps of training (forward and backward, no optimizer) of a drop-mode model with all tokens visible and with
 * shares of them hidden, against PyTorch's full-length masked step and against our own full-length step.
 * Measured in rounds that alternate; ratios are medians over rounds, and above 1 when ours is faster.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelConfig } from '#cloud/model/config.ts'
import { initialWeights, parameterTable, weightFeeds } from '#cloud/model/parameters.ts'
import { buildTrainingGraph, packTrainingBatch, type TrainingBatch } from '#cloud/model/training-graph.ts'
import { type ModelSession, openSession, runtimeVersion } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { type Peer, pythonWithTorch, startPeer } from './peer.ts'
import { pairedRatios, type Spread, spread } from './statistics.ts'

const THREADS = 2
const GROUPS = 10
const FEATURES = 16
const HIDDEN_SHARES = [0, 0.5, 0.75]

type Plan = {
  /** Begins the names of its rows. */
  readonly name: string
  readonly config: ModelConfig
  readonly slots: number
  readonly batch: number
  readonly rounds: number
  readonly steps: number
}

const configOf = (sizes: Pick<ModelConfig, 'width' | 'layers' | 'heads' | 'feedForward' | 'labels'>): ModelConfig => ({
  ...sizes,
  activation: 'gelu',
  mode: 'drop',
  frequencies: 1,
  frequencySigma: 0.1,
})

/** Seconds in all. */
const SMALL: Plan = {
  name: '',
  config: configOf({ width: 64, layers: 2, heads: 4, feedForward: 256, labels: 20 }),
  ...{ slots: 30, batch: 32, rounds: 7, steps: 10 },
}

const USUAL: Plan = {
  name: '',
  config: configOf({ width: 128, layers: 4, heads: 4, feedForward: 512, labels: 20 }),
  ...{ slots: 50, batch: 128, rounds: 7, steps: 3 },
}

/** The sizes of the paper's model on GeoPlant, in a batch that PyTorch has room for. */
const LONG: Plan = {
  name: 'width 192, 350 tokens: ',
  config: configOf({ width: 192, layers: 3, heads: 8, feedForward: 256, labels: 1783 }),
  ...{ slots: 350, batch: 16, rounds: 7, steps: 2 },
}

/** One modality of linear tokens; those of a group, which share a linear, stand together. */
const layoutOf = ({ slots }: Plan): TokenLayout => ({
  modalities: ['tokens'],
  blocks: [{ name: 'tokens', encoding: 'linear', groups: GROUPS, features: FEATURES }],
  slots: Array.from({ length: slots }, (_, s) => ({
    name: `token[${s}]`,
    modality: 0,
    block: 0,
    group: Math.floor((s * GROUPS) / slots),
    offset: s * FEATURES,
  })),
  featureCount: slots * FEATURES,
})

/** The same observations with each share of their tokens hidden. */
const batchesOf = (plan: Plan, layout: TokenLayout, seed: number): readonly TrainingBatch[] => {
  const random = randomStream(seed, 'bench training')
  const { labels } = plan.config
  const features = Array.from({ length: plan.batch }, () =>
    Float32Array.from({ length: layout.featureCount }, random.normal),
  )
  const targets = Float32Array.from({ length: plan.batch * labels }, () => Number(random.uniform() < 0.3))
  return HIDDEN_SHARES.map((share) => ({
    rows: features.map((values) => ({
      features: values,
      hidden: Uint8Array.from({ length: plan.slots }, () => Number(random.uniform() < share)),
    })),
    labels: targets,
    positiveWeight: new Float32Array(labels).fill(2),
    negativeWeight: new Float32Array(labels).fill(1),
  }))
}

/** What a round of steps took, and what it found. */
type Round = {
  readonly loss: number
  readonly gradientNorm: number
  readonly wallMs: number
  readonly cpuMs: number
}

type Side = (hiddenSet: number, steps: number) => Promise<Round>

const normOf = (arrays: readonly Float32Array[]): number =>
  Math.sqrt(arrays.reduce((sum, array) => array.reduce((own, x) => own + x * x, sum), 0))

const ourSide = (
  session: ModelSession,
  feeds: readonly Parameters<ModelSession['run']>[0][],
  outputs: readonly string[],
): Side => {
  return async (hiddenSet, steps) => {
    const cpu = process.cpuUsage()
    const start = performance.now()
    let results = await session.run(feeds[hiddenSet]!, outputs)
    for (let i = 1; i < steps; i++) results = await session.run(feeds[hiddenSet]!, outputs)
    const wallMs = performance.now() - start
    const { user, system } = process.cpuUsage(cpu)
    const gradients = outputs.filter((name) => name !== 'loss').map((name) => results[name]!.data)
    return { loss: results.loss!.data[0]!, gradientNorm: normOf(gradients), wallMs, cpuMs: (user + system) / 1e3 }
  }
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** Features of every token, hidden or not, as [groups, batch · tokens of a group, features]. */
const groupedFeatures = (plan: Plan, { rows }: TrainingBatch): Float32Array => {
  const perGroup = plan.slots / GROUPS
  const grouped = new Float32Array(plan.batch * plan.slots * FEATURES)
  for (const [b, { features }] of rows.entries()) {
    for (let s = 0; s < plan.slots; s++) {
      const [group, t] = [Math.floor(s / perGroup), s % perGroup]
      const row = (group * plan.batch + b) * perGroup + t
      grouped.set(features.subarray(s * FEATURES, (s + 1) * FEATURES), row * FEATURES)
    }
  }
  return grouped
}

/** [batch, 1 + slots], 1 = hidden; the CLS token, which comes first, is not. */
const maskOf = ({ rows }: TrainingBatch): Float32Array =>
  Float32Array.from(rows.flatMap(({ hidden }) => [0, ...hidden]))

type Problem = {
  readonly plan: Plan
  readonly layout: TokenLayout
  readonly weights: Float32Array
  readonly batches: readonly TrainingBatch[]
}

const writeProblem = async (folder: string, { plan, layout, weights, batches }: Problem): Promise<void> => {
  const { config, slots, batch } = plan
  const { positive, negative } = packTrainingBatch(config, layout, batches[0]!)
  const problem = {
    ...{ batch, slots, width: config.width, layers: config.layers, heads: config.heads, labels: config.labels },
    ...{ groups: GROUPS, features: FEATURES, hiddenSets: batches.length, weights: weights.length },
    parameters: parameterTable(config, layout).specs,
  }
  await writeFile(join(folder, 'problem.json'), JSON.stringify(problem))
  const arrays: Record<string, Float32Array> = {
    weights,
    features: groupedFeatures(plan, batches[0]!),
    positive: positive!.data as Float32Array,
    negative: negative!.data as Float32Array,
    ...Object.fromEntries(batches.map((own, i) => [`hidden${i}`, maskOf(own)])),
  }
  for (const [name, values] of Object.entries(arrays)) await writeFile(join(folder, `${name}.f32`), bytesOf(values))
}

const peerSide =
  (peer: Peer): Side =>
  async (hiddenSet, steps) =>
    (await peer.ask(`${hiddenSet} ${steps}`)) as Round

type Measured = { readonly ours: readonly Round[]; readonly peer: readonly Round[] }

/** By hidden share: the rounds of both sides, taken in turns after two steps of warming up. */
const measure = async (plan: Plan, ours: Side, peer: Side | null): Promise<readonly Measured[]> => {
  const found = HIDDEN_SHARES.map(() => ({ ours: [] as Round[], peer: [] as Round[] }))
  for (let i = 0; i < found.length; i++) {
    await ours(i, 2)
    await peer?.(i, 2)
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const [i, rounds] of found.entries()) {
      rounds.ours.push(await ours(i, plan.steps))
      if (peer) rounds.peer.push(await peer(i, plan.steps))
    }
  }
  return found
}

const wallOf = (rounds: readonly Round[]): number[] => rounds.map(({ wallMs }) => wallMs)
const cpuOf = (rounds: readonly Round[]): number[] => rounds.map(({ cpuMs }) => cpuMs)

/** Milliseconds of one step. */
const perStep = (times: readonly number[], { steps }: Plan): Spread => spread(times.map((ms) => ms / steps))

/** Losses of equal weights and data within 1e-5, and gradients of equal length; else a comparison means nothing. */
const agree = (a: Round, b: Round): boolean =>
  Math.abs(a.loss - b.loss) < 1e-5 && Math.abs(a.gradientNorm / b.gradientNorm - 1) < 1e-4

export type TrainingRow = {
  readonly suite: 'training'
  readonly name: string
  /** Share of the tokens that this step does not see, 0 to 1. */
  readonly hiddenShare: number
  /** What the ratios are against, with its version; or why there is nothing. */
  readonly peer: string
  /** The peer's time over ours. Null when there is no peer or the row is void. */
  readonly ratioWall: number | null
  readonly ratioCpu: number | null
  readonly void: boolean
} & Readonly<Record<string, unknown>>

type Comparison = {
  readonly name: string
  readonly hiddenShare: number
  readonly peer: string
  readonly ours: readonly Round[]
  readonly against: readonly Round[]
}

const compared = (
  { name, hiddenShare, peer, ours, against }: Comparison,
  plan: Plan,
  isValid: boolean,
): TrainingRow => {
  const [wall, cpu] = [pairedRatios(wallOf(against), wallOf(ours)), pairedRatios(cpuOf(against), cpuOf(ours))]
  return {
    suite: 'training',
    name,
    hiddenShare,
    peer,
    ratioWall: isValid ? wall.median : null,
    ratioCpu: isValid ? cpu.median : null,
    void: !isValid,
    ratioWallRange: [wall.least, wall.most],
    ratioCpuRange: [cpu.least, cpu.most],
    oursMs: perStep(wallOf(ours), plan),
    oursCpuMs: perStep(cpuOf(ours), plan),
    peerMs: perStep(wallOf(against), plan),
    peerCpuMs: perStep(cpuOf(against), plan),
    loss: ours[0]!.loss,
    peerLoss: against[0]!.loss,
    gradientNorm: ours[0]!.gradientNorm,
  }
}

const percent = (share: number): string => `${share * 100} % hidden`

const rowsOf = (plan: Plan, measured: readonly Measured[], peer: string | null): readonly TrainingRow[] =>
  measured.flatMap(({ ours, peer: theirs }, i) => {
    const hiddenShare = HIDDEN_SHARES[i]!
    const name = `${plan.name}step, ${percent(hiddenShare)}`
    const againstPeer: TrainingRow =
      peer === null
        ? {
            ...{ suite: 'training', name: `${name}, against PyTorch`, hiddenShare },
            ...{ peer: 'absent: no Python here can import torch' },
            ...{ ratioWall: null, ratioCpu: null, void: false },
            ...{ oursMs: perStep(wallOf(ours), plan), oursCpuMs: perStep(cpuOf(ours), plan), loss: ours[0]!.loss },
          }
        : compared(
            { name: `${name}, against PyTorch`, hiddenShare, peer, ours, against: theirs },
            plan,
            agree(ours[0]!, theirs[0]!),
          )
    if (i === 0) return [againstPeer]
    const own = {
      name: `${name}, against our full-length step`,
      hiddenShare,
      peer: 'our own step with all tokens visible',
    }
    return [againstPeer, compared({ ...own, ours, against: measured[0]!.ours }, plan, true)]
  })

const report = (row: TrainingRow): void => {
  const ms = ({ median, least }: Spread): string => `${median.toFixed(1)} ms (best ${least.toFixed(1)})`
  const times = [`ours ${ms(row.oursMs as Spread)}`]
  if (row.peerMs) times.push(`peer ${ms(row.peerMs as Spread)}`)
  const ratio = row.void
    ? 'void: the losses differ'
    : row.ratioWall === null
      ? `peer ${row.peer}`
      : `ratio ${row.ratioWall.toFixed(2)} wall, ${row.ratioCpu!.toFixed(2)} CPU`
  process.stderr.write(`${row.name}: ${times.join(', ')}; ${ratio}\n`)
}

/** Opens the peer on a copy of the problem, or says that there is none. */
const openPeer = async (folder: string, problem: Problem): Promise<Peer | null> => {
  const python = pythonWithTorch()
  if (python === null) {
    process.stderr.write(
      'No PyTorch: Debian has it as python3-torch; PEER_PYTHON names another Python. Only our own steps are compared.\n',
    )
    return null
  }
  await writeProblem(folder, problem)
  const script = join(import.meta.dirname, 'peer_training.py')
  return startPeer(python, [script, folder, `${THREADS}`], THREADS)
}

const runPlan = async (plan: Plan, seed: number): Promise<readonly TrainingRow[]> => {
  const layout = layoutOf(plan)
  const table = parameterTable(plan.config, layout)
  const weights = initialWeights(table, plan.config, layout, randomStream(seed, 'init'))
  const problem: Problem = { plan, layout, weights, batches: batchesOf(plan, layout, seed) }
  const folder = await mkdtemp(join(tmpdir(), 'understory-bench-'))
  const load = loadavg()[0]!
  const { bytes, gradientOutputs } = buildTrainingGraph(plan.config, layout)
  const session = await openSession(bytes, { threads: THREADS })
  const peer = await openPeer(folder, problem)
  try {
    const feeds = problem.batches.map((batch) => ({
      ...weightFeeds(table, weights),
      ...packTrainingBatch(plan.config, layout, batch),
    }))
    const { width, layers, heads, feedForward } = plan.config
    const shape = `D ${width}, L ${layers}, H ${heads}, M ${feedForward}, S ${plan.slots}, B ${plan.batch}, ${table.total} parameters`
    const machine = `${cpus().length} × ${cpus()[0]!.model}, load ${load.toFixed(2)}, ${THREADS} threads`
    const versions = `Node ${process.versions.node}, ONNX Runtime ${runtimeVersion()}`
    const peerVersion = peer && `PyTorch ${peer.greeting.torch} on ${[peer.greeting.blas].flat().join(', ')}`
    process.stderr.write(`training: ${shape}; seed ${seed}; ${plan.rounds} rounds of ${plan.steps} steps\n`)
    process.stderr.write(`${machine}; ${versions}; peer: ${peerVersion ?? 'absent'}\n`)
    const measured = await measure(plan, ourSide(session, feeds, ['loss', ...gradientOutputs]), peer && peerSide(peer))
    const facts = {
      shape,
      seed,
      rounds: plan.rounds,
      steps: plan.steps,
      threads: THREADS,
      machine,
      versions,
    }
    const rows = rowsOf(plan, measured, peerVersion).map((row) => ({ ...row, ...facts }))
    for (const row of rows) report(row)
    return rows
  } finally {
    await peer?.[Symbol.asyncDispose]()
    await session.close()
    await rm(folder, { recursive: true })
  }
}

export const runTrainingBench = async (options: {
  readonly small: boolean
  readonly seed: number
}): Promise<readonly TrainingRow[]> => {
  const rows: TrainingRow[] = []
  for (const plan of options.small ? [SMALL] : [USUAL, LONG]) rows.push(...(await runPlan(plan, options.seed)))
  return rows
}
