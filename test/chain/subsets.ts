/** The subsets that the chain compares on. */

import { DatasetError } from '#cloud/dataset/dataset-error.ts'
import type { RawSet } from '#cloud/dataset/raw-set.ts'
import { type PartialInput, subsetsToMeasure } from '#cloud/evaluation/subsets.ts'
import type { Subset } from '#cloud/model/subset.ts'
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'

/**
 * A thermometer alone, and with a rain gauge: the first number of the first table that has three, and that one with
 * the third. On SWI these are the `ddeg` and `ddeg` + `precyy` of docs/results/swi. On CAN the first is precipitation, which
 * says little alone (macro AUC 50 to 60 %, by chance of the seed): averages over all subsets compare with those of
 * another choice only without the partial ones.
 */
export const defaultPartial = ({ templates }: Pick<RawSet, 'templates'>): readonly PartialInput[] => {
  for (const template of templates) {
    if (template.kind !== 'tabular') continue
    const [first, , third] = template.variables.filter(({ type }) => type === 'number')
    if (first === undefined || third === undefined) continue
    const slot = (name: string) => `${template.name}.${name}`
    return [{ slots: [slot(first.name)] }, { slots: [slot(first.name), slot(third.name)] }]
  }
  return []
}

/** Names of slots joined by `+`, as they stand in the tables. */
export const parsePartial = (text: string): PartialInput => ({ slots: text.split('+') })

/** For a quick look the pairs and all but one are left out. */
export const chainSubsets = (
  layout: TokenLayout,
  partial: readonly PartialInput[],
  { quick }: { readonly quick: boolean },
): readonly Subset[] => {
  const tokens = layout.slots.map(({ name }) => name)
  const unknown = partial.flatMap(({ slots }) => slots).find((slot) => !tokens.includes(slot))
  if (unknown !== undefined) {
    throw new DatasetError('bad-description', `no token "${unknown}"; there are ${tokens.join(', ')}`)
  }
  const subsets = subsetsToMeasure(layout, partial)
  assert(new Set(subsets.map(({ name }) => name)).size === subsets.length, 'subsets differ in name')
  return quick ? subsets.filter(({ group }) => group !== 'pair' && group !== 'leave-one-out') : subsets
}
