/**
 * One epoch of MIAM on made files of GeoPlant's form: 350 tokens of 63,964 numbers and up to 1,783 species, tokens on disk,
 * a model of the paper's sizes. `--surveys N` says how many (GeoPlant's presence–absence part has 88,987); seven of ten
 * are trained on. What it learns means nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { runtimeVersion } from '#shared/platform/ort.ts'
import { someSurveys, writeGeoPlantFolder } from '../support/geoplant-files.ts'

const SPECIES = 1783
const USUAL_SURVEYS = 3_000
const SMALL_SURVEYS = 60

type Times = { readonly wallMs: number; readonly cpuMs: number }

/** What `geoplant-run.ts` writes. */
type Figures = {
  readonly train: number
  readonly validation: number
  readonly labels: number
  readonly tokens: number
  readonly featureCount: number
  readonly tokenFileBytes: number
  readonly reading: Times
  readonly steps: Times
  readonly scores: Times
  /** Of the whole process, from its start. */
  readonly peakMib: number
} & Readonly<Record<string, unknown>>

const trainOn = async (folder: string, cache: string, seed: number): Promise<Figures> => {
  const script = join(import.meta.dirname, 'geoplant-run.ts')
  const child = spawn(process.execPath, [script, folder, cache, `${seed}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new Error(`the training process ended with ${code}`)
  return JSON.parse(printed)
}

const perSecond = (count: number, { wallMs }: Times): number => (1000 * count) / wallMs

const report = (surveys: number, figures: Figures): void => {
  const { train, validation, labels, tokens, reading, steps, scores } = figures
  const seconds = ({ wallMs, cpuMs }: Times): string =>
    `${(wallMs / 1e3).toFixed(1)} s (CPU ${(cpuMs / 1e3).toFixed(1)} s)`
  const inMemory = (4 * figures.featureCount * (train + validation)) / 2 ** 20
  const lines = [
    `${surveys} surveys, ${tokens} tokens, ${labels} species; ${train} train, ${validation} validate`,
    `tokens to disk: ${seconds(reading)}, ${perSecond(surveys, reading).toFixed(0)} surveys/s`,
    `steps: ${seconds(steps)}, ${perSecond(train, steps).toFixed(1)} samples/s; scores: ${seconds(scores)}`,
    `peak memory ${figures.peakMib.toFixed(0)} MiB; the tokens are ${inMemory.toFixed(0)} MiB in memory`,
  ]
  process.stderr.write(`${lines.join('\n')}\n`)
}

export const runGeoPlantBench = async (options: {
  readonly small: boolean
  readonly seed: number
  readonly surveys: number | null
}) => {
  const { seed } = options
  const surveys = options.surveys ?? (options.small ? SMALL_SURVEYS : USUAL_SURVEYS)
  const machine = `${cpus().length} × ${cpus()[0]!.model}, load ${loadavg()[0]!.toFixed(2)}`
  const versions = `Node ${process.versions.node}, ONNX Runtime ${runtimeVersion()}`
  process.stderr.write(`geoplant: D 192, L 3, H 8, M 256, drop, MIAM, batch 128, 2 threads; seed ${seed}\n`)
  process.stderr.write(`${machine}; ${versions}\n`)
  const folder = await mkdtemp(join(tmpdir(), 'understory-bench-'))
  try {
    await writeGeoPlantFolder(join(folder, 'data'), someSurveys(surveys, SPECIES, seed))
    const figures = await trainOn(join(folder, 'data'), join(folder, 'cache'), seed)
    report(surveys, figures)
    const samplesPerSecond = perSecond(figures.train, figures.steps)
    const row = { suite: 'geoplant', name: 'one epoch of MIAM, tokens on disk', hiddenShare: null, ratioWall: null }
    return [{ ...row, ratioCpu: null, samplesPerSecond, ...figures, surveys, seed, machine, versions }]
  } finally {
    await rm(folder, { recursive: true })
  }
}
