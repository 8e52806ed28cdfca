/**
 * One observation of 60 visible tokens through an exported model, on one thread: the raw session with tensors made
 * beforehand, our session with packing, and the whole prediction in its process of its own (with IPC, calibration
 * and evidence). Measured in rounds that alternate; ratios are to the raw session of the same round.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, loadavg } from 'node:os'
import { startInference } from '#edge/inference/inference.ts'
import { logitsOf } from '#edge/inference/logits-of.ts'
import { probabilitiesOf } from '#shared/bundle/calibration.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openSession, runtimeVersion } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { createModelBundle, type ModelBundle } from '../support/model-bundle.ts'
import { pairedRatios, type Spread, spread } from './statistics.ts'

type Plan = { readonly width: number; readonly layers: number; readonly rounds: number; readonly runs: number }

const planOf = (small: boolean): Plan =>
  small ? { width: 64, layers: 2, rounds: 15, runs: 10 } : { width: 128, layers: 4, rounds: 42, runs: 15 }

const scaled = (name: string) => ({ name, mean: 0, deviation: 1 })

/** 20 numbers, 20 periods of 12 values, 20 patches of 192 numbers. */
const SPECS: readonly ModalitySpec[] = [
  {
    kind: 'tabular',
    name: 'site',
    variables: Array.from({ length: 20 }, (_, i) => ({ type: 'number', ...scaled(`v${i}`) })),
  },
  {
    kind: 'series',
    name: 'weather',
    stepMs: 3_600_000,
    periods: 5,
    stepsPerPeriod: 12,
    variables: ['a', 'b', 'c', 'd'].map(scaled),
  },
  {
    kind: 'image',
    name: 'camera',
    width: 40,
    height: 32,
    channels: 3,
    patch: 8,
    mean: [0, 0, 0],
    deviation: [1, 1, 1],
  },
]

const allVisible = ({ slots, featureCount }: TokenLayout, seed: number): TokenSet => ({
  hidden: new Uint8Array(slots.length),
  features: Float32Array.from({ length: featureCount }, randomStream(seed, 'bench inference').normal),
})

/** Runs once. Gives what was computed, to be compared. */
type Side = { readonly name: string; readonly run: () => Promise<ArrayLike<number>> }

/** The library itself, with tensors made once; it has no door because the door is part of what is measured. */
const rawSide = async ({ modelFile, layout }: ModelBundle, tokens: TokenSet): Promise<Side & AsyncDisposable> => {
  const ort = createRequire(import.meta.url)('onnxruntime-node')
  const session = await ort.InferenceSession.create(await readFile(modelFile), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const feeds = Object.fromEntries(
    Object.entries(packInferenceBatch(layout, 'drop', [tokens])).map(([name, { data, shape }]) => [
      name,
      new ort.Tensor(data instanceof Float32Array ? 'float32' : 'int32', data, shape),
    ]),
  )
  return {
    name: 'raw session',
    run: async () => (await session.run(feeds, ['logits'])).logits.data,
    [Symbol.asyncDispose]: () => session.release(),
  }
}

const packedSide = async (bundle: ModelBundle, tokens: TokenSet): Promise<Side & AsyncDisposable> => {
  const session = await openSession(bundle.model)
  const run: Parameters<typeof logitsOf>[0]['process']['run'] = async (feeds, output) => {
    const { [output]: fetched } = await session.run(feeds, [output])
    const [rows, columns] = fetched!.shape
    return { rows: rows!, columns: columns!, data: fetched!.data }
  }
  const { manifest, layout } = bundle
  return {
    name: 'session and packing',
    run: async () => (await logitsOf({ process: { run }, manifest, layout }, [tokens]))[0]!,
    [Symbol.asyncDispose]: session.close,
  }
}

const predictSide = async ({ manifest, modelFile }: ModelBundle, tokens: TokenSet): Promise<Side & AsyncDisposable> => {
  const version = 'bench@000000000000' as ModelVersion
  const model = await startInference({ version, manifest, modelFile, log: silentLog() })
  return {
    name: 'prediction over IPC',
    run: async () => (await model.predict([tokens]))[0]!.probabilities,
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  }
}

/** Per run. CPU time is that of this process, so it leaves out the inference process. */
type Round = { readonly wallMs: number; readonly cpuMs: number }

const roundOf = async ({ run }: Side, runs: number): Promise<Round> => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let i = 0; i < runs; i++) await run()
  const wallMs = (performance.now() - start) / runs
  const { user, system } = process.cpuUsage(cpu)
  return { wallMs, cpuMs: (user + system) / 1e3 / runs }
}

const measure = async (sides: readonly Side[], { rounds, runs }: Plan): Promise<readonly Round[][]> => {
  const found: Round[][] = sides.map(() => [])
  for (const side of sides) await roundOf(side, runs)
  for (let round = 0; round < rounds; round++) {
    // Another side begins each round, so that none is always measured first.
    for (let k = 0; k < sides.length; k++) {
      const i = (round + k) % sides.length
      found[i]!.push(await roundOf(sides[i]!, runs))
    }
  }
  return found
}

export type InferenceRow = {
  readonly suite: 'inference'
  readonly name: string
  readonly wallMs: Spread
  readonly cpuMs: Spread
  /** To the raw session, medians paired by round; at most 1.1 is asked of "session and packing". */
  readonly ratioWall: number
  readonly ratioCpu: number
  /** [least, most] over the rounds. */
  readonly ratioWallRange: readonly [number, number]
  readonly ratioCpuRange: readonly [number, number]
  /** Sum of the logits: nobody speeds it up by changing the answer. */
  readonly checksum: number
  /** The answer is not that of the raw session. */
  readonly void: boolean
} & Readonly<Record<string, unknown>>

const checksum = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x, 0)

const show = (row: InferenceRow): string => {
  const ratio = (median: number, [least, most]: readonly [number, number]) =>
    `${median.toFixed(3)} (${least.toFixed(2)}–${most.toFixed(2)})`
  const [wall, cpu] = [row.wallMs, row.cpuMs].map(({ median }) => median.toFixed(3))
  const byWall = ratio(row.ratioWall, row.ratioWallRange)
  const byCpu = ratio(row.ratioCpu, row.ratioCpuRange)
  return `${row.name.padEnd(22)} ${wall} ms, CPU ${cpu} ms; to the raw session ${byWall}, by CPU ${byCpu}\n`
}

export const runInferenceBench = async ({
  small,
  seed,
}: {
  readonly small: boolean
  readonly seed: number
}): Promise<readonly InferenceRow[]> => {
  const plan = planOf(small)
  const { width, layers } = plan
  const config = { width, layers, heads: 8, feedForward: 4 * width, frequencies: 32, labels: 20 }
  await using bundle = await createModelBundle({ seed, specs: SPECS, config, cases: 1 })
  const tokens = allVisible(bundle.layout, seed)
  await using raw = await rawSide(bundle, tokens)
  await using packed = await packedSide(bundle, tokens)
  await using predicted = await predictSide(bundle, tokens)
  const sides = [raw, packed, predicted]

  const logits = await raw.run()
  const temperature = bundle.manifest.calibration[0]!.temperature
  const expected = [logits, logits, probabilitiesOf(logits, temperature)]
  const rounds = await measure(sides, plan)
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0], runtime: runtimeVersion() }
  process.stderr.write(`inference: ${tokens.hidden.length} tokens, width ${width}, ${layers} layers, 1 thread\n`)
  const rows: InferenceRow[] = []
  for (const [i, side] of sides.entries()) {
    const [wall, cpu] = (['wallMs', 'cpuMs'] as const).map((key) => rounds[i]!.map((round) => round[key]))
    const [rawWall, rawCpu] = (['wallMs', 'cpuMs'] as const).map((key) => rounds[0]!.map((round) => round[key]))
    const [byWall, byCpu] = [pairedRatios(wall!, rawWall!), pairedRatios(cpu!, rawCpu!)]
    const answer = await side.run()
    const row: InferenceRow = {
      ...{ suite: 'inference', name: side.name, tokens: tokens.hidden.length, ...plan, seed, ...machine },
      wallMs: spread(wall!),
      cpuMs: spread(cpu!),
      ratioWall: byWall.median,
      ratioCpu: byCpu.median,
      ratioWallRange: [byWall.least, byWall.most],
      ratioCpuRange: [byCpu.least, byCpu.most],
      checksum: checksum(answer),
      void: !Array.from(answer).every((value, label) => Math.abs(value - expected[i]![label]!) < 1e-6),
    }
    process.stderr.write(show(row))
    rows.push(row)
  }
  return rows
}
