/** Examples in memory that all threads see: stored once, and only row numbers travel. */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { allLabels } from '../model/token-rows.ts'
import type { Examples } from '../model/training-set.ts'

export type SharedExamples = {
  readonly count: number
  /** [count × featureCount], [count × slots] and [count × labels]. Written once, before threads start. */
  readonly features: Float32Array
  readonly hidden: Uint8Array
  readonly labels: Float32Array
}

const sharedFloats = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length))

export const shareExamples = (layout: TokenLayout, labels: number, examples: Examples): SharedExamples => {
  const count = examples.rows.length
  assert(examples.labels.length === count * labels, 'every example has its labels', { count, labels })
  const shared: SharedExamples = {
    count,
    features: sharedFloats(count * layout.featureCount),
    hidden: new Uint8Array(new SharedArrayBuffer(count * layout.slots.length)),
    labels: sharedFloats(count * labels),
  }
  let at = 0
  for (const { features, hidden } of examples.rows) {
    shared.features.set(features, at * layout.featureCount)
    shared.hidden.set(hidden, at * layout.slots.length)
    at++
  }
  shared.labels.set(allLabels(examples.labels))
  return shared
}

export const featuresAt = ({ features }: SharedExamples, { featureCount }: TokenLayout, row: number): Float32Array =>
  features.subarray(row * featureCount, (row + 1) * featureCount)

/** 1 = missing. */
export const missingAt = ({ hidden }: SharedExamples, { slots }: TokenLayout, row: number): Uint8Array =>
  hidden.subarray(row * slots.length, (row + 1) * slots.length)

/** The example as it is seen through a subset ([slots], 1 = hidden). */
export const rowThrough = (
  examples: SharedExamples,
  layout: TokenLayout,
  row: number,
  subset: Uint8Array,
): TokenSet => ({
  features: featuresAt(examples, layout, row),
  hidden: missingAt(examples, layout, row).map((value, slot) => value | subset[slot]!),
})
