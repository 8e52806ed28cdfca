/**
 * Token sets of several observations as the feeds of a model. The trainer and the edge both pack with
 * this code. Values of hidden tokens are never read, so they cannot reach a network.
 */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout, TokenSet } from './layout.ts'

export type TensorFeed = { readonly data: Float32Array | Int32Array; readonly shape: readonly number[] }

/**
 * The visible tokens of a batch. Models put the embedded rows of all blocks, group by group, below one
 * special row (row 0) into a table; `tableRow` says where each token is found in it.
 */
export type PackedTokens = {
  /** `x.<block>`: [groups, rows, features]. `rows` is the largest count of a group, at least 1; the rest is 0. */
  readonly feeds: Readonly<Record<string, TensorFeed>>
  /** [observations + 1]: the tokens of observation b are those from starts[b] up to starts[b + 1]. */
  readonly starts: Int32Array
  /** [tokens]: slot of each visible token, rising within an observation. */
  readonly slot: Int32Array
  /** [tokens]: its row in the table. */
  readonly tableRow: Int32Array
  /** [blocks]: first table row of each block, and rows per group. */
  readonly blockStart: Int32Array
  readonly groupRows: Int32Array
  /** Rows of the table, the special one included. */
  readonly tableRows: number
}

/** One counter for each (block, group), in table order. */
const groupStarts = (layout: TokenLayout): Int32Array => {
  const starts = new Int32Array(layout.blocks.length + 1)
  for (const [i, { groups }] of layout.blocks.entries()) starts[i + 1] = starts[i]! + groups
  return starts
}

/** Takes the features of each row once, one row after another: rows that read them when asked are not all in memory. */
export const packTokens = (layout: TokenLayout, rows: readonly TokenSet[]): PackedTokens => {
  const { blocks, slots } = layout
  const firstGroup = groupStarts(layout)
  const counts = new Int32Array(firstGroup[blocks.length]!)
  const starts = new Int32Array(rows.length + 1)
  for (const [b, { hidden }] of rows.entries()) {
    assert(hidden.length === slots.length, 'a token set fits its layout', { observation: b, hidden: hidden.length })
    let visible = 0
    for (let s = 0; s < slots.length; s++) {
      if (hidden[s] !== 0) continue
      visible++
      counts[firstGroup[slots[s]!.block]! + slots[s]!.group]!++
    }
    starts[b + 1] = starts[b]! + visible
  }

  const groupRows = Int32Array.from(blocks, ({ groups }, i) =>
    counts.subarray(firstGroup[i]!, firstGroup[i]! + groups).reduce((most, n) => Math.max(most, n), 1),
  )
  const blockStart = new Int32Array(blocks.length)
  let tableRows = 1
  for (const [i, { groups }] of blocks.entries()) {
    blockStart[i] = tableRows
    tableRows += groups * groupRows[i]!
  }

  const data = blocks.map(({ groups, features }, i) => new Float32Array(groups * groupRows[i]! * features))
  const slot = new Int32Array(starts[rows.length]!)
  const tableRow = new Int32Array(slot.length)
  counts.fill(0)
  let n = 0
  for (const [b, { hidden, features }] of rows.entries()) {
    assert(features.length === layout.featureCount, 'a token set fits its layout', {
      observation: b,
      features: features.length,
    })
    for (let s = 0; s < slots.length; s++) {
      if (hidden[s] !== 0) continue
      const { block, group, offset } = slots[s]!
      const size = blocks[block]!.features
      const row = group * groupRows[block]! + counts[firstGroup[block]! + group]!++
      data[block]!.set(features.subarray(offset, offset + size), row * size)
      slot[n] = s
      tableRow[n++] = blockStart[block]! + row
    }
  }

  const feeds: Record<string, TensorFeed> = {}
  for (const [i, { name, groups, features }] of blocks.entries()) {
    feeds[`x.${name}`] = { data: data[i]!, shape: [groups, groupRows[i]!, features] }
  }
  return { feeds, starts, slot, tableRow, blockStart, groupRows, tableRows }
}

/**
 * Feeds of an inference graph; its output `logits` is [observations, labels].
 * Both modes: `x.<block>` and `assemble` int32 [observations, places], the table row at each place.
 * `drop`: place 0 is the CLS token, then the visible tokens, then padding; `slot` int32 of the same shape
 * (CLS and padding: the number of slots) and `hidden` float32 (1 = padding). An observation without a
 * visible token is its CLS alone.
 * `replace`: one place for each slot, in order; hidden ones point at the special row.
 */
export const packInferenceBatch = (
  layout: TokenLayout,
  mode: 'drop' | 'replace',
  rows: readonly TokenSet[],
): Record<string, TensorFeed> => {
  const packed = packTokens(layout, rows)
  return mode === 'drop' ? dropFeeds(layout, rows.length, packed) : replaceFeeds(layout, rows.length, packed)
}

/** Places that a batch needs in drop mode: the CLS token and the most visible tokens of one observation. */
export const placeCount = (starts: Int32Array): number => {
  let most = 0
  for (let b = 1; b < starts.length; b++) most = Math.max(most, starts[b]! - starts[b - 1]!)
  return most + 1
}

const dropFeeds = (layout: TokenLayout, count: number, packed: PackedTokens): Record<string, TensorFeed> => {
  const places = placeCount(packed.starts)
  const shape = [count, places]
  const assemble = new Int32Array(count * places)
  const slot = new Int32Array(count * places).fill(layout.slots.length)
  const hidden = new Float32Array(count * places).fill(1)
  for (let b = 0; b < count; b++) {
    const [from, to] = [packed.starts[b]!, packed.starts[b + 1]!]
    assemble.set(packed.tableRow.subarray(from, to), b * places + 1)
    slot.set(packed.slot.subarray(from, to), b * places + 1)
    hidden.fill(0, b * places, b * places + 1 + to - from)
  }
  return {
    ...packed.feeds,
    assemble: { data: assemble, shape },
    slot: { data: slot, shape },
    hidden: { data: hidden, shape },
  }
}

const replaceFeeds = (layout: TokenLayout, count: number, packed: PackedTokens): Record<string, TensorFeed> => {
  const places = layout.slots.length
  const assemble = new Int32Array(count * places)
  for (let b = 0; b < count; b++) {
    for (let n = packed.starts[b]!; n < packed.starts[b + 1]!; n++) {
      assemble[b * places + packed.slot[n]!] = packed.tableRow[n]!
    }
  }
  return { ...packed.feeds, assemble: { data: assemble, shape: [count, places] } }
}
