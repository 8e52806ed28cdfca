/** How many observations fit into one run, and which go together. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from './config.ts'

/**
 * Memory of one run's intermediate values. Twice as much took 3 to 10 % longer (13 to 350 tokens, one thread), a quarter
 * of it up to 12 %.
 */
const DEFAULT_LIMIT_BYTES = 32 * 2 ** 20

/** Places that an observation takes in the model: its visible tokens and the CLS token, or all slots. */
export const placesOf = (config: ModelConfig, layout: TokenLayout, hidden: Uint8Array): number => {
  if (config.mode === 'replace') return layout.slots.length
  let places = 1
  for (const bit of hidden) if (bit === 0) places++
  return places
}

/** Bytes of what one block of the encoder holds for an observation of so many places, when it predicts. */
export const blockBytes = ({ width, heads, feedForward }: ModelConfig, places: number): number =>
  4 * places * (8 * width + 2 * feedForward + 2 * heads * places)

/**
 * Observations (by index) in batches of similar size, each within the limit unless it is a single one: the memory
 * of a batch follows its longest observation.
 */
export const planInference = (
  config: ModelConfig,
  places: readonly number[],
  limitBytes = DEFAULT_LIMIT_BYTES,
): readonly (readonly number[])[] => {
  const order = places.map((_, i) => i).sort((a, b) => places[b]! - places[a]! || a - b)
  const batches: number[][] = []
  for (let first = 0; first < order.length; ) {
    const size = Math.max(1, Math.floor(limitBytes / blockBytes(config, places[order[first]!]!)))
    batches.push(order.slice(first, first + size))
    first += size
  }
  return batches
}

/** Puts the rows of a batch's result, [batch × width], where they belong. */
export const scatterRows = (
  values: Float32Array,
  batch: readonly number[],
  width: number,
  into: Float32Array,
): void => {
  for (const [at, row] of batch.entries()) into.set(values.subarray(at * width, (at + 1) * width), row * width)
}
