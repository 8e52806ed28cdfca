/**
 * The parameters of a model as slices of one flat array: optimizers, checkpoints and workers see the
 * array, graphs see the slices as inputs of these names.
 */
import { assert } from '#shared/std/assert.ts'
import type { Random } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { assertConfig, type ModelConfig } from './config.ts'

export type ParameterSpec = {
  readonly name: string
  readonly shape: readonly number[]
  /** First of its `size` numbers within the flat array. */
  readonly offset: number
  readonly size: number
}

export type ParameterTable = { readonly specs: readonly ParameterSpec[]; readonly total: number }

/** How a parameter starts. Uniform: on ±bound. Normal: cut at three deviations. */
type Start =
  | { readonly kind: 'fill'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly sigma: number }

type Entry = { readonly name: string; readonly shape: readonly number[]; readonly start: Start }

const ZERO: Start = { kind: 'fill', value: 0 }
const ONE: Start = { kind: 'fill', value: 1 }
const uniform = (fanIn: number): Start => ({ kind: 'uniform', bound: 1 / Math.sqrt(fanIn) })

const linear = (name: string, from: number, to: number): Entry[] => [
  { name: `${name}.weight`, shape: [from, to], start: uniform(from) },
  { name: `${name}.bias`, shape: [to], start: ZERO },
]

const norm = (name: string, width: number): Entry[] => [
  { name: `${name}.scale`, shape: [width], start: ONE },
  { name: `${name}.shift`, shape: [width], start: ZERO },
]

const block = ({ width, frequencies, frequencySigma }: ModelConfig, layout: TokenLayout): Entry[] =>
  layout.blocks.flatMap(({ name, encoding, groups, features }) => {
    assert(encoding === 'linear' || features === 1, 'a periodic block expands one number', { name, features })
    const inputs = encoding === 'periodic' ? 2 * frequencies : features
    const expansion: Entry[] =
      encoding === 'periodic'
        ? [
            {
              name: `embed.${name}.frequencies`,
              shape: [groups, 1, frequencies],
              start: { kind: 'normal', sigma: frequencySigma },
            },
          ]
        : []
    return [
      ...expansion,
      { name: `embed.${name}.weight`, shape: [groups, inputs, width], start: uniform(inputs) },
      { name: `embed.${name}.bias`, shape: [groups, 1, width], start: ZERO },
    ]
  })

const layer = ({ width, feedForward }: ModelConfig, i: number): Entry[] => [
  ...norm(`layer.${i}.attention.norm`, width),
  ...linear(`layer.${i}.attention.qkv`, width, 3 * width),
  ...linear(`layer.${i}.attention.out`, width, width),
  ...norm(`layer.${i}.feed.norm`, width),
  ...linear(`layer.${i}.feed.in`, width, feedForward),
  ...linear(`layer.${i}.feed.out`, feedForward, width),
]

/**
 * `identity` has a row per slot. In drop mode one more follows, which is the CLS token: it has no
 * content, so its identity is all it is. In replace mode `mask` is the content of every hidden token.
 */
const encoder = (config: ModelConfig, layout: TokenLayout): Entry[] => {
  assertConfig(config)
  const { width, mode } = config
  const slots = layout.slots.length
  return [
    ...block(config, layout),
    { name: 'identity', shape: [mode === 'drop' ? slots + 1 : slots, width], start: uniform(width) },
    ...(mode === 'replace' ? [{ name: 'mask', shape: [1, width], start: uniform(width) }] : []),
    ...Array.from({ length: config.layers }, (_, i) => layer(config, i)).flat(),
  ]
}

const head = ({ width, labels }: ModelConfig): Entry[] => [
  ...norm('head.norm', width),
  ...linear('head', width, labels),
]

/**
 * From what the encoder gives back to the numbers of hidden tokens, by a linear for each group of a block. In drop mode
 * hidden tokens have no output of their own: `decoder.query` says which slot is asked for.
 */
const decoder = ({ width, mode }: ModelConfig, layout: TokenLayout): Entry[] => [
  ...norm('decoder.norm', width),
  ...(mode === 'drop'
    ? [
        ...linear('decoder.in', width, width),
        { name: 'decoder.query', shape: [layout.slots.length, width], start: uniform(width) },
      ]
    : []),
  ...layout.blocks.flatMap(({ name, groups, features }): Entry[] => [
    { name: `decoder.${name}.weight`, shape: [groups, width, features], start: uniform(width) },
    { name: `decoder.${name}.bias`, shape: [groups, 1, features], start: ZERO },
  ]),
]

const tableOf = (entries: readonly Entry[]): ParameterTable => {
  const specs: ParameterSpec[] = []
  let total = 0
  for (const { name, shape } of entries) {
    const size = shape.reduce((product, n) => product * n, 1)
    specs.push({ name, shape, offset: total, size })
    total += size
  }
  return { specs, total }
}

/** The encoder comes first: a table of the same encoder with another end begins with the same numbers. */
export const parameterTable = (config: ModelConfig, layout: TokenLayout): ParameterTable =>
  tableOf([...encoder(config, layout), ...head(config)])

/** Of the model that is pre-trained: its end predicts hidden tokens, and `config.labels` counts for nothing. */
export const reconstructionTable = (config: ModelConfig, layout: TokenLayout): ParameterTable =>
  tableOf([...encoder(config, layout), ...decoder(config, layout)])

/** Numbers that the tables of an encoder begin with. */
export const encoderSize = (config: ModelConfig, layout: TokenLayout): number => tableOf(encoder(config, layout)).total

const draw = (start: Start, random: Random): number => {
  if (start.kind === 'fill') return start.value
  if (start.kind === 'uniform') return start.bound * (2 * random.uniform() - 1)
  let z = random.normal()
  while (Math.abs(z) > 3) z = random.normal()
  return start.sigma * z
}

/**
 * Weights to start training from: linears uniform on ±1/√fanIn, biases 0, norms 1 and 0, identity and
 * mask vectors uniform on ±1/√width, frequencies from a normal distribution cut at three deviations.
 */
export const initialWeights = (
  table: ParameterTable,
  config: ModelConfig,
  layout: TokenLayout,
  random: Random,
): Float32Array => {
  const weights = new Float32Array(table.total)
  const known = [...encoder(config, layout), ...head(config), ...decoder(config, layout)]
  const starts = new Map(known.map(({ name, start }) => [name, start]))
  for (const { name, offset, size } of table.specs) {
    const start = starts.get(name)
    assert(start !== undefined, 'the table belongs to this configuration', { name })
    for (let i = 0; i < size; i++) weights[offset + i] = draw(start, random)
  }
  return weights
}

/** Views of a flat array by parameter name, as feeds of a graph. They share its memory. */
export const weightFeeds = (
  table: ParameterTable,
  weights: Float32Array,
): Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }> => {
  assert(weights.length === table.total, 'the weights fill the table', { weights: weights.length, total: table.total })
  return Object.fromEntries(
    table.specs.map(({ name, shape, offset, size }) => [
      name,
      { data: weights.subarray(offset, offset + size), shape },
    ]),
  )
}
