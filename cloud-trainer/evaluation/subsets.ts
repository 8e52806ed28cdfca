/** Which subsets of its inputs a model is measured on. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { partialSubset, type Subset, standardSubsets } from '../model/subset.ts'

/**
 * With more modalities than this their pairs are left out: each subset costs a pass over the data and a line
 * in the manifest, and pairs grow with the square.
 */
const MOST_MODALITIES_IN_PAIRS = 6

/** Parts of modalities that are worth a line of their own; slots by name ("climate.ddeg"). */
export type PartialInput = { readonly name?: string; readonly slots: readonly string[] }

/** The partial ones first, then each modality alone, pairs, all but one, all. Throws when a slot is unknown. */
export const subsetsToMeasure = (layout: TokenLayout, partial: readonly PartialInput[] = []): readonly Subset[] => {
  const standard = standardSubsets(layout)
  const chosen =
    layout.modalities.length > MOST_MODALITIES_IN_PAIRS ? standard.filter(({ group }) => group !== 'pair') : standard
  return [
    ...partial.map(({ name, slots }) => {
      const subset = partialSubset(layout, slots)
      return name === undefined ? subset : { ...subset, name }
    }),
    ...chosen,
  ]
}
