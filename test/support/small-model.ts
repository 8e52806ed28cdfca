/** Small models, random observations and steps of training, for tests that need a whole network. */
import type { NdArray } from '#cloud/graph/array.ts'
import { array } from '#cloud/graph/array.ts'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { initialWeights, parameterTable, weightFeeds } from '#cloud/model/parameters.ts'
import {
  buildTrainingGraph,
  gradientOutput,
  packTrainingBatch,
  type TrainingBatch,
} from '#cloud/model/training-graph.ts'
import { type Feed, openSession } from '#shared/platform/ort.ts'
import type { Random } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'

/** Three variables, two series of two years each, and some patches of one picture. */
export const smallLayout = (patches = 5): TokenLayout => {
  const slot = (name: string, modality: number, block: number, group: number, offset: number) =>
    ({ name, modality, block, group, offset }) as const
  return {
    modalities: ['table', 'series', 'image'],
    blocks: [
      { name: 'table', encoding: 'periodic', groups: 3, features: 1 },
      { name: 'series', encoding: 'linear', groups: 2, features: 4 },
      { name: 'image', encoding: 'linear', groups: 1, features: 6 },
    ],
    slots: [
      ...[0, 1, 2].map((i) => slot(`table.${i}`, 0, 0, i, i)),
      ...[0, 1, 2, 3].map((i) => slot(`series[${i}]`, 1, 1, i % 2, 3 + 4 * i)),
      ...Array.from({ length: patches }, (_, i) => slot(`image[${i}]`, 2, 2, 0, 19 + 6 * i)),
    ],
    featureCount: 19 + 6 * patches,
  }
}

export const smallConfig = (changes: Partial<ModelConfig> = {}): ModelConfig => ({
  ...defaultModelConfig(4),
  width: 12,
  layers: 2,
  heads: 3,
  feedForward: 16,
  frequencies: 3,
  ...changes,
})

/** Features of hidden tokens are NaN, so that whoever reads one is found out. */
export const drawTokens = (random: Random, layout: TokenLayout, hiddenShare: number): TokenSet => {
  const hidden = Uint8Array.from(layout.slots, () => (random.uniform() < hiddenShare ? 1 : 0))
  const features = Float32Array.from({ length: layout.featureCount }, () => random.normal())
  return withHiddenFeatures({ features, hidden }, layout, Number.NaN)
}

/** The same observation with another value in each feature of its hidden tokens. */
export const withHiddenFeatures = (
  { features, hidden }: TokenSet,
  { slots, blocks }: TokenLayout,
  value: number,
): TokenSet => {
  const changed = features.slice()
  for (const [s, { offset, block }] of slots.entries()) {
    if (hidden[s] === 1) changed.fill(value, offset, offset + blocks[block]!.features)
  }
  return { features: changed, hidden }
}

/** Labels are 1, 0 or, for every tenth, unknown. */
export const drawBatch = (
  random: Random,
  layout: TokenLayout,
  labels: number,
  count: number,
  hiddenShare: number,
): TrainingBatch => ({
  rows: Array.from({ length: count }, () => drawTokens(random, layout, hiddenShare)),
  labels: Float32Array.from({ length: count * labels }, (_, i) =>
    i % 10 === 9 ? Number.NaN : Number(random.uniform() < 0.4),
  ),
  positiveWeight: Float32Array.from({ length: labels }, (_, i) => 1 + i / 2),
  negativeWeight: Float32Array.from({ length: labels }, (_, i) => 1 / (1 + i)),
})

/** Observations `from` up to `to` of a batch. */
export const part = (batch: TrainingBatch, from: number, to: number): TrainingBatch => {
  const labels = batch.positiveWeight.length
  return { ...batch, rows: batch.rows.slice(from, to), labels: batch.labels.slice(from * labels, to * labels) }
}

/** Initial weights, with every parameter that starts at a constant moved away from it. */
export const drawWeights = (random: Random, config: ModelConfig, layout: TokenLayout): Float32Array =>
  initialWeights(parameterTable(config, layout), config, layout, random).map((w) => w + 0.1 * random.normal())

export type Step = {
  readonly loss: number
  readonly logits: Float32Array
  /** By parameter, in the order of the table. */
  readonly gradients: Readonly<Record<string, Float32Array>>
}

export type Stepper = AsyncDisposable & {
  readonly run: (weights: Float32Array, batch: TrainingBatch) => Promise<Step>
}

export const openStepper = async (config: ModelConfig, layout: TokenLayout, threads = 1): Promise<Stepper> => {
  const table = parameterTable(config, layout)
  const session = await openSession(buildTrainingGraph(config, layout).bytes, { threads })
  return {
    run: async (weights, batch) => {
      const feeds = { ...weightFeeds(table, weights), ...packTrainingBatch(config, layout, batch) }
      const results = await session.run(feeds)
      return {
        loss: results.loss!.data[0]!,
        logits: results.logits!.data,
        gradients: Object.fromEntries(table.specs.map(({ name }) => [name, results[gradientOutput(name)]!.data])),
      }
    },
    [Symbol.asyncDispose]: () => session.close(),
  }
}

/** Feeds of the runtime as values of the float64 interpreter. */
export const exactly = (feeds: Readonly<Record<string, Feed>>): Record<string, NdArray> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { data, shape }]) => [name, array(shape, data)]))
