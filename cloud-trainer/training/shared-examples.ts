/** Examples that all threads see: stored once, in shared memory or in a file, and only row numbers travel. */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { labelsOf, type StoredRows, storedFeatures, storedHidden, storedLabels } from '../model/stored-rows.ts'
import { allLabels } from '../model/token-rows.ts'
import type { Examples } from '../model/training-set.ts'
import { sharedFloats } from './shared-floats.ts'

/** Plain data and shared memory. */
export type SharedExamples =
  /** Labels are those of the file, or others. */
  | { readonly kind: 'stored'; readonly count: number; readonly stored: StoredRows; readonly labels: null }
  | { readonly kind: 'stored'; readonly count: number; readonly stored: StoredRows; readonly labels: Float32Array }
  | {
      readonly kind: 'memory'
      readonly count: number
      /** [count × featureCount], [count × slots] and [count × labels]. Written once, before threads start. */
      readonly features: Float32Array
      readonly hidden: Uint8Array
      readonly labels: Float32Array
    }

/** Those that lie in a file stay there. */
export const shareExamples = (layout: TokenLayout, labels: number, examples: Examples): SharedExamples => {
  const { stored, length: count } = examples.rows
  assert(examples.labels.length === count * labels, 'every example has its labels', { count, labels })
  const inMemory = (): Float32Array => {
    const all = sharedFloats(count * labels)
    all.set(allLabels(examples.labels))
    return all
  }
  if (stored !== undefined) {
    const kept = { kind: 'stored', count, stored } as const
    return examples.labels.stored === undefined ? { ...kept, labels: inMemory() } : { ...kept, labels: null }
  }
  const shared = {
    kind: 'memory',
    count,
    features: sharedFloats(count * layout.featureCount),
    hidden: new Uint8Array(new SharedArrayBuffer(count * layout.slots.length)),
    labels: inMemory(),
  } as const
  let at = 0
  for (const { features, hidden } of examples.rows) {
    shared.features.set(features, at * layout.featureCount)
    shared.hidden.set(hidden, at * layout.slots.length)
    at++
  }
  return shared
}

export const featuresAt = (examples: SharedExamples, { featureCount }: TokenLayout, row: number): Float32Array =>
  examples.kind === 'stored'
    ? storedFeatures(examples.stored, row)
    : examples.features.subarray(row * featureCount, (row + 1) * featureCount)

/** 1 = missing. */
export const missingAt = (examples: SharedExamples, { slots }: TokenLayout, row: number): Uint8Array =>
  examples.kind === 'stored'
    ? storedHidden(examples.stored, row)
    : examples.hidden.subarray(row * slots.length, (row + 1) * slots.length)

/** [labels] of a row; `count`: labels of an example. */
export const labelsAt = (examples: SharedExamples, count: number, row: number): Float32Array =>
  examples.labels === null
    ? storedLabels(examples.stored, row)
    : examples.labels.subarray(row * count, (row + 1) * count)

/** [count × labels], in memory. */
export const everyLabel = (examples: SharedExamples): Float32Array =>
  examples.labels ?? allLabels(labelsOf(examples.stored))

/** The example, its features read when they are asked for, as it is seen through a subset ([slots], 1 = hidden). */
export const rowThrough = (
  examples: SharedExamples,
  layout: TokenLayout,
  row: number,
  subset: Uint8Array,
): TokenSet => ({
  get features() {
    return featuresAt(examples, layout, row)
  },
  hidden: missingAt(examples, layout, row).map((value, slot) => value | subset[slot]!),
})
