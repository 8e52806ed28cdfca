/** Observations with labels as the feeds of a training graph. */
import { taskOf } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import { type PackedTokens, packTokens, placeCount, type TensorFeed } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { ModelConfig } from './config.ts'
import { type NoiseSeed, noiseKeys } from './noise.ts'

export type TrainingBatch = {
  /** `hidden` holds what is missing and what this step's mask hides. */
  readonly rows: readonly TokenSet[]
  /** [observations × labels]: 1, 0, a probability between them, or NaN for unknown. */
  readonly labels: Float32Array
  /** [labels]: weight of a label that is 1, and of one that is 0. The single-label task weighs nothing. */
  readonly positiveWeight: Float32Array
  readonly negativeWeight: Float32Array
  /** Of a model with dropout. */
  readonly noise?: NoiseSeed
}

type Feeds = Record<string, TensorFeed>

/** int32 indices: JavaScript fills an Int32Array thirty times faster than a BigInt64Array. */
export const packTrainingBatch = (config: ModelConfig, layout: TokenLayout, batch: TrainingBatch): Feeds => ({
  ...tokenFeeds(config, layout, batch),
  ...(taskOf(config) === 'single-label' ? classFeeds : labelFeeds)(config.labels, batch.rows.length, batch),
})

/** What the encoder reads, whatever is made of it. */
export const tokenFeeds = (
  config: ModelConfig,
  layout: TokenLayout,
  batch: Pick<TrainingBatch, 'rows' | 'noise'>,
): Feeds => {
  const packed = packTokens(layout, batch.rows)
  const count = batch.rows.length
  assert(count > 0, 'a batch has observations')
  return {
    ...noiseFeeds(config, layout, packed, batch),
    ...(config.mode === 'drop' ? dropFeeds(layout, count, packed) : replaceFeeds(layout, batch.rows, packed)),
  }
}

const noiseFeeds = (
  config: ModelConfig,
  layout: TokenLayout,
  { starts }: PackedTokens,
  batch: Pick<TrainingBatch, 'rows' | 'noise'>,
): Feeds => {
  const { dropout = 0 } = config
  if (dropout === 0) return {}
  const { noise, rows } = batch
  assert(noise?.observations.length === rows.length, 'dropout has a number for each observation', { rows: rows.length })
  const isPacked = config.mode === 'drop'
  const counts = rows.map((_, b) => (isPacked ? starts[b + 1]! - starts[b]! + 1 : layout.slots.length))
  const keys = noiseKeys(noise, counts, isPacked ? placeCount(starts) : layout.slots.length)
  return {
    'dropout.rows': { data: keys.rows, shape: [keys.rows.length] },
    'dropout.places': { data: keys.places, shape: [keys.places.length] },
  }
}

/** By block: the row that shows each embedded token, and `nowhere` for the filling of short groups. */
const inverseFeeds = (
  layout: TokenLayout,
  packed: PackedTokens,
  nowhere: number,
  rowOf: (token: number) => number,
): Feeds => {
  const inverse = new Int32Array(packed.tableRows).fill(nowhere)
  for (let n = 0; n < packed.tableRow.length; n++) inverse[packed.tableRow[n]!] = rowOf(n)
  return Object.fromEntries(
    layout.blocks.map(({ name, groups }, i) => {
      const [start, rows] = [packed.blockStart[i]!, packed.groupRows[i]!]
      return [`inverse.${name}`, { data: inverse.subarray(start, start + groups * rows), shape: [groups, rows] }]
    }),
  )
}

/** Rows observation by observation, each with its CLS token first. */
const dropFeeds = (layout: TokenLayout, count: number, packed: PackedTokens): Feeds => {
  const { starts, tableRow } = packed
  const total = tableRow.length + count
  const places = placeCount(starts)
  const assemble = new Int32Array(total)
  const slot = new Int32Array(total).fill(layout.slots.length)
  const padIndex = new Int32Array(count * places)
  const unpadIndex = new Int32Array(total)
  const hidden = new Float32Array(count * places).fill(1)
  const clsRow = new Int32Array(count)
  const clsInverse = new Int32Array(total).fill(count)
  const rowOf = new Int32Array(tableRow.length)
  let row = 0
  for (let b = 0; b < count; b++) {
    const [from, to] = [starts[b]!, starts[b + 1]!]
    clsRow[b] = row
    clsInverse[row] = b
    assemble.set(tableRow.subarray(from, to), row + 1)
    slot.set(packed.slot.subarray(from, to), row + 1)
    for (let n = from; n < to; n++) rowOf[n] = row + 1 + n - from
    for (let k = 0; k <= to - from; k++) {
      padIndex[b * places + k] = row
      hidden[b * places + k] = 0
      unpadIndex[row++] = b * places + k
    }
  }
  const byRow = [total]
  const byPlace = [count, places]
  return {
    ...packed.feeds,
    ...inverseFeeds(layout, packed, total, (n) => rowOf[n]!),
    assemble: { data: assemble, shape: byRow },
    slot: { data: slot, shape: byRow },
    padIndex: { data: padIndex, shape: byPlace },
    unpadIndex: { data: unpadIndex, shape: byRow },
    hidden: { data: hidden, shape: byPlace },
    clsRow: { data: clsRow, shape: [count] },
    clsInverse: { data: clsInverse, shape: byRow },
  }
}

const replaceFeeds = (layout: TokenLayout, rows: readonly TokenSet[], packed: PackedTokens): Feeds => {
  const slots = layout.slots.length
  const observation = new Int32Array(packed.tableRow.length)
  for (let b = 0; b < rows.length; b++) observation.fill(b, packed.starts[b]!, packed.starts[b + 1]!)
  const hidden = new Float32Array(rows.length * slots).fill(1)
  const assemble = new Int32Array(rows.length * slots)
  const rowOf = (n: number): number => observation[n]! * slots + packed.slot[n]!
  for (let n = 0; n < packed.tableRow.length; n++) {
    hidden[rowOf(n)] = 0
    assemble[rowOf(n)] = packed.tableRow[n]!
  }
  const shape = [rows.length, slots]
  return {
    ...packed.feeds,
    ...inverseFeeds(layout, packed, rows.length * slots, rowOf),
    assemble: { data: assemble, shape },
    hidden: { data: hidden, shape },
  }
}

const assertFilled = (labels: number, count: number, { labels: given }: TrainingBatch): void =>
  assert(given.length === count * labels, 'labels fill the batch', { labels, count, given: given.length })

/** 1 for the class of each observation, or a probability for each; all 0 when it is unknown. */
const classFeeds = (labels: number, count: number, batch: TrainingBatch): Feeds => {
  assertFilled(labels, count, batch)
  return { target: { data: batch.labels.map((y) => (y > 0 ? y : 0)), shape: [count, labels] } }
}

/** Weights of the two terms of the loss; both 0 for an unknown label. */
const labelFeeds = (labels: number, count: number, batch: TrainingBatch): Feeds => {
  const { positiveWeight, negativeWeight } = batch
  assertFilled(labels, count, batch)
  assert(positiveWeight.length === labels && negativeWeight.length === labels, 'each label has its weights', { labels })
  const positive = new Float32Array(count * labels)
  const negative = new Float32Array(count * labels)
  for (let i = 0; i < positive.length; i++) {
    const y = batch.labels[i]!
    if (Number.isNaN(y)) continue
    positive[i] = y * positiveWeight[i % labels]!
    negative[i] = (1 - y) * negativeWeight[i % labels]!
  }
  const shape = [count, labels]
  return { positive: { data: positive, shape }, negative: { data: negative, shape } }
}
