/** How a batch is divided: among threads, and within a thread into parts that fit its memory. */

import type { ModelConfig } from '../model/config.ts'
import { blockBytes } from '../model/inference-batches.ts'

/**
 * Observations (by index) dealt to `hands` threads like cards, the longest first and in turning direction, so each
 * gets as many of them, and about as many tokens. `places`: by observation.
 */
export const deal = (places: readonly number[], hands: number): readonly (readonly number[])[] => {
  const order = places.map((_, i) => i).sort((a, b) => places[b]! - places[a]! || a - b)
  const dealt = Array.from({ length: hands }, (): number[] => [])
  for (const [at, i] of order.entries()) {
    const round = Math.floor(at / hands)
    dealt[round % 2 === 0 ? at % hands : hands - 1 - (at % hands)]!.push(i)
  }
  return dealt
}

/** Bytes that a block's dropout masks add. */
const maskBytes = ({ width, heads, dropout = 0 }: ModelConfig, places: number): number =>
  dropout === 0 ? 0 : 4 * places * (2 * width + 2 * heads * places)

/**
 * Sizes of consecutive parts of a share, whose observations come longest first. The size depends on the model and
 * the masks alone, so it is the same on every machine.
 */
export const partSizes = (config: ModelConfig, places: readonly number[], limitBytes: number): readonly number[] => {
  const sizes: number[] = []
  for (let first = 0; first < places.length; first += sizes.at(-1)!) {
    // Every block's values are kept, and a block's worth of gradients is alive beside them.
    const bytes = (config.layers + 1) * (blockBytes(config, places[first]!) + maskBytes(config, places[first]!))
    sizes.push(Math.min(Math.max(1, Math.floor(limitBytes / bytes)), places.length - first))
  }
  return sizes
}
