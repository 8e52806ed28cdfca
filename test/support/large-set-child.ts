/**
 * Opens a folder, trains an epoch on it, measures the model, and sends what the process took of memory at most.
 * Arguments: the folder, a cache folder, the memory limit in MiB.
 */
import '#shared/platform/preflight.ts'
import type { Source } from '#cloud/data-source.ts'
import { evaluateSubsets } from '#cloud/evaluation/evaluate.ts'
import { defaultModelConfig } from '#cloud/model/config.ts'
import { openPredictor } from '#cloud/model/predictor.ts'
import { standardSubsets } from '#cloud/model/subset.ts'
import { openSet } from '#cloud/open-set.ts'
import { DEFAULT_TRAINING, train } from '#cloud/training/train.ts'

export type LargeSetReport = {
  readonly examples: number
  readonly tokenBytes: number
  readonly peakBytes: number
  readonly hash: string
  readonly loss: number
}

const [, , folder = '', cache = '', limitMib = ''] = process.argv
// The pictures alone: nearly all of a survey's numbers, and the fastest to read.
const source: Source = { kind: 'folder', folder, modalities: ['sentinel'] }
using set = await openSet(source, { memory: { limitMib: Number(limitMib), cache } })
const sizes = { width: 8, layers: 1, heads: 2, feedForward: 8 }
const { weights, config, epochs } = await train({
  ...DEFAULT_TRAINING,
  set,
  config: { ...defaultModelConfig(set.labels.length), ...sizes },
  strategy: { name: 'none' },
  seed: 1,
  epochs: 1,
  batchSize: 16,
  workers: 1,
  folder: null,
  startFrom: null,
})
await using predictor = await openPredictor(config, set.layout, weights, { threads: 1, limitBytes: 2 ** 23 })
const options = { seed: 1, resamples: 0 }
await evaluateSubsets(predictor.predict, set.test ?? set.validation, standardSubsets(set.layout), options)
const examples = set.train.ids.length + set.validation.ids.length + (set.test?.ids.length ?? 0)
process.send?.({
  examples,
  tokenBytes: 4 * set.layout.featureCount * examples,
  peakBytes: 1024 * process.resourceUsage().maxRSS,
  hash: set.hash,
  loss: epochs[0]!.loss,
} satisfies LargeSetReport)
