/** Subsets of a model's inputs: what is looked at when a model is measured on less than everything. */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'

export type Subset = {
  /** Names of its parts joined by `+`, or "all". */
  readonly name: string
  readonly group: 'partial' | 'single' | 'pair' | 'leave-one-out' | 'all'
  /** [slots], 1 = hidden. */
  readonly hidden: Uint8Array
}

const without = (layout: TokenLayout, isVisible: (slot: number) => boolean): Uint8Array =>
  Uint8Array.from(layout.slots, (_, slot) => (isVisible(slot) ? 0 : 1))

/** Modalities by index; a subset of all of them is named "all". */
export const modalitySubset = (layout: TokenLayout, modalities: readonly number[], group: Subset['group']): Subset => ({
  name: modalities.length === layout.modalities.length ? 'all' : modalities.map((m) => layout.modalities[m]!).join('+'),
  group,
  hidden: without(layout, (slot) => modalities.includes(layout.slots[slot]!.modality)),
})

/** Single slots, by name ("climate.ddeg"). Throws when the layout has none of that name. */
export const partialSubset = (layout: TokenLayout, slots: readonly string[]): Subset => {
  const indices = slots.map((name) => layout.slots.findIndex((slot) => slot.name === name))
  assert(!indices.includes(-1), 'a partial subset names slots of the layout', { slots })
  return { name: slots.join('+'), group: 'partial', hidden: without(layout, (slot) => indices.includes(slot)) }
}

/** Each modality alone, each pair, all but one, all; each combination once. */
export const standardSubsets = (layout: TokenLayout): readonly Subset[] => {
  const all = layout.modalities.map((_, m) => m)
  const pairs = all.flatMap((a) => all.slice(a + 1).map((b) => [a, b]))
  const candidates: readonly Subset[] = [
    ...all.map((m) => modalitySubset(layout, [m], 'single')),
    ...pairs.map((pair) => modalitySubset(layout, pair, 'pair')),
    ...all.map((m) =>
      modalitySubset(
        layout,
        all.filter((other) => other !== m),
        'leave-one-out',
      ),
    ),
    modalitySubset(layout, all, 'all'),
  ]
  const seen = new Set<string>()
  return candidates.filter(({ hidden }) => {
    const key = hidden.join('')
    const isNew = hidden.includes(0) && !seen.has(key)
    seen.add(key)
    return isNew
  })
}

/** The same observation with everything outside the subset hidden. Features are shared: hidden ones are never read. */
export const restrict = (row: TokenSet, subset: Pick<Subset, 'hidden'>): TokenSet => ({
  // Those of a row on disk are not read before somebody needs them.
  get features() {
    return row.features
  },
  hidden: row.hidden.map((value, slot) => value | subset.hidden[slot]!),
})
