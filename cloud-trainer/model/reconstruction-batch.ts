/**
 * Observations as the feeds of a pre-training graph: what is visible, and what hidden tokens held. Targets reach the
 * graph as inputs of their own, which only the loss reads.
 */
import { assert } from '#shared/std/assert.ts'
import type { TensorFeed } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { ModelConfig } from './config.ts'
import type { NoiseSeed } from './noise.ts'
import { tokenFeeds } from './training-batch.ts'

/**
 * What brings every number of a token set to mean 0 and deviation 1 over the training part, so that the mean as an
 * answer costs about 1. [featureCount] each.
 */
export type TargetScale = { readonly mean: Float32Array; readonly deviation: Float32Array }

export type ReconstructionBatch = {
  /** `hidden` holds what is missing and what this step's mask hides; features are there unless missing. */
  readonly rows: readonly TokenSet[]
  /** [slots] of each observation, 1 = to be predicted. Never one that is missing, or visible when the model learns. */
  readonly targets: readonly Uint8Array[]
  readonly scale: TargetScale
  /**
   * By modality: weight of one of its tokens in the loss, 1 / (its targets in the whole step · modalities that have some
   * there). A step that is divided among threads has the loss of the whole.
   */
  readonly tokenWeights: readonly number[]
  /** Of a model with dropout. */
  readonly noise?: NoiseSeed
}

type Feeds = Record<string, TensorFeed>

/** `counts`: targets of each modality in a whole step. */
export const tokenWeights = (counts: readonly number[]): readonly number[] => {
  const present = counts.filter((n) => n > 0).length
  return counts.map((n) => (n === 0 ? 0 : 1 / (n * present)))
}

/** Targets of each modality: tokens that exist (0 in `missing`) and that a mask hides. All are [slots], 1 = hidden. */
export const countTargets = (
  { modalities, slots }: TokenLayout,
  rows: Iterable<{ readonly missing: Uint8Array; readonly hidden: Uint8Array }>,
): readonly number[] => {
  const counts = modalities.map(() => 0)
  for (const { missing, hidden } of rows) {
    for (const [s, { modality }] of slots.entries()) if (hidden[s] === 1 && missing[s] === 0) counts[modality]!++
  }
  return counts
}

/**
 * For each block, targets group by group: `target.<block>.row` [groups, T] says which of the B·slots places is asked for,
 * `.inverse` [B, slots] where each place is found among them (or groups·T), `target.<block>` holds the scaled values and
 * `.share` their weights, 0 where a group has fewer targets than T.
 */
export const packReconstruction = (config: ModelConfig, layout: TokenLayout, batch: ReconstructionBatch): Feeds => {
  const { rows, targets, scale, tokenWeights } = batch
  const { slots, blocks } = layout
  assert(targets.length === rows.length, 'each observation has its targets', { rows: rows.length })
  const lists = blocks.map(({ groups }) => Array.from({ length: groups }, (): [row: number, slot: number][] => []))
  for (const [b, wanted] of targets.entries()) {
    for (const [s, { block, group }] of slots.entries()) if (wanted[s] === 1) lists[block]![group]!.push([b, s])
  }
  const feeds = tokenFeeds(config, layout, batch)
  for (const [i, { name, groups, features }] of blocks.entries()) {
    const places = Math.max(1, ...lists[i]!.map((list) => list.length))
    const index = new Int32Array(groups * places)
    const inverse = new Int32Array(rows.length * slots.length).fill(groups * places)
    const values = new Float32Array(groups * places * features)
    const share = new Float32Array(groups * places)
    for (const [g, list] of lists[i]!.entries()) {
      for (const [k, [b, s]] of list.entries()) {
        const at = g * places + k
        const { offset, modality } = slots[s]!
        const own = rows[b]!.features
        for (let f = 0; f < features; f++) {
          values[at * features + f] = (own[offset + f]! - scale.mean[offset + f]!) / scale.deviation[offset + f]!
        }
        index[at] = b * slots.length + s
        inverse[index[at]!] = at
        share[at] = tokenWeights[modality]! / features
      }
    }
    feeds[`target.${name}`] = { data: values, shape: [groups, places, features] }
    feeds[`target.${name}.row`] = { data: index, shape: [groups, places] }
    feeds[`target.${name}.inverse`] = { data: inverse, shape: [rows.length, slots.length] }
    feeds[`target.${name}.share`] = { data: share, shape: [groups, places, 1] }
  }
  return feeds
}
