/**
 * `node geoplant-run.ts FOLDER CACHE SEED`: one epoch of training on a folder whose tokens go to disk, in a process of its
 * own, so that its memory is that of training alone. The last line of standard output is what it took, as JSON.
 */
import '#shared/platform/preflight.ts'
import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { openSet } from '#cloud/open-set.ts'
import { DEFAULT_TRAINING, type TrainOptions, train } from '#cloud/training/train.ts'

const WORKERS = 2

/** The paper's sizes on GeoPlant. */
const configOf = (labels: number): ModelConfig => ({
  ...defaultModelConfig(labels),
  ...{ width: 192, layers: 3, heads: 8, feedForward: 256 },
})

/** A moment: wall and CPU milliseconds, of all threads. */
const now = () => {
  const { user, system } = process.cpuUsage()
  return { wallMs: performance.now(), cpuMs: (user + system) / 1e3 }
}

const rssMib = (): number => process.memoryUsage.rss() / 2 ** 20
const peakMib = (): number => process.resourceUsage().maxRSS / 2 ** 10

const tokenFileBytes = async (folder: string): Promise<number> => {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.tokens'))
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

const [, , folder, cache, seed] = process.argv
const start = now()
using set = await openSet({ kind: 'folder', folder: folder! }, { memory: { limitMib: 0, cache: cache! } })
const read = now()
const afterReading = { rssMib: rssMib(), peakMib: peakMib() }

const config = configOf(set.labels.length)
let lastStep = read
const options: TrainOptions = {
  ...DEFAULT_TRAINING,
  ...{ set, config, strategy: { name: 'miam' }, seed: Number(seed), epochs: 1, workers: WORKERS },
  ...{ folder: null, startFrom: null },
  onProgress: ({ kind }) => {
    if (kind === 'step') lastStep = now()
  },
}
const { epochs, batchSize } = await train(options)
const end = now()

const [record] = epochs
const [trained, scored] = [set.train.rows.length, set.validation.rows.length]
const figures = {
  ...{ train: trained, validation: scored, labels: set.labels.length, tokens: set.layout.slots.length },
  ...{ featureCount: set.layout.featureCount, batchSize, workers: WORKERS, config },
  tokenFileBytes: await tokenFileBytes(cache!),
  reading: { wallMs: read.wallMs - start.wallMs, cpuMs: read.cpuMs - start.cpuMs, ...afterReading },
  steps: { wallMs: lastStep.wallMs - read.wallMs, cpuMs: lastStep.cpuMs - read.cpuMs },
  scores: { wallMs: end.wallMs - lastStep.wallMs, cpuMs: end.cpuMs - lastStep.cpuMs },
  peakMib: peakMib(),
  loss: record!.loss,
  all: record!.all,
}
process.stdout.write(`${JSON.stringify(figures)}\n`)
