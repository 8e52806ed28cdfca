/** On which subsets a new model is judged: those that stations really ask with. Pure. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { subsetsToMeasure } from './evaluation/subsets.ts'
import { modalitySubset, type Subset } from './model/subset.ts'

/** How often stations answered with these modalities visible, wholly or in part, and no others. */
export type SubsetTraffic = { readonly modalities: readonly string[]; readonly predictions: number }

export type JudgedSubset = {
  /** Modalities in the new model's order, joined by `+`, or "all". */
  readonly name: string
  /** Recent ones; null where no traffic is known. */
  readonly predictions: number | null
  /** What the current model sees of it, and what the new one does: those modalities that it has. */
  readonly before: Subset
  readonly after: Subset
}

type Layouts = { readonly before: TokenLayout; readonly after: TokenLayout }

/** Least share of the recent predictions that makes a subset one with real traffic (our choice). */
export const DEFAULT_TRAFFIC_SHARE = 0.01
/** Below this, a share says nothing (our choice). */
const LEAST_PREDICTIONS = 20

/**
 * Subsets with at least `share` of the predictions, and 20 of them, the most asked ones first. Modalities that neither
 * model has are left out of a subset, and subsets that come to the same are added up. Predictions from nothing visible
 * count nowhere: they are base rates. When no subset has so much, each standard subset that both models have is judged.
 */
export const judgedSubsets = (
  traffic: readonly SubsetTraffic[],
  layouts: Layouts,
  share: number,
): readonly JudgedSubset[] => {
  const known = addUp(traffic, namesOf(layouts))
  const total = known.reduce((sum, { predictions }) => sum + predictions, 0)
  const real = known.filter(({ predictions }) => predictions >= Math.max(LEAST_PREDICTIONS, share * total))
  if (real.length === 0) return standardOf(layouts).map((modalities) => judged(modalities, null, layouts))
  return real.map(({ modalities, predictions }) => judged(modalities, predictions, layouts))
}

/** In the new model's order; those that it lacks come last. */
const namesOf = ({ before, after }: Layouts): readonly string[] => [
  ...new Set([...after.modalities, ...before.modalities]),
]

const addUp = (traffic: readonly SubsetTraffic[], names: readonly string[]): readonly SubsetTraffic[] => {
  const sums = new Map<string, { readonly modalities: readonly string[]; predictions: number }>()
  for (const { modalities, predictions } of traffic) {
    const visible = names.filter((name) => modalities.includes(name))
    if (visible.length === 0) continue
    const key = JSON.stringify(visible)
    const sum = sums.get(key) ?? { modalities: visible, predictions: 0 }
    sum.predictions += predictions
    sums.set(key, sum)
  }
  return [...sums.values()].sort((a, b) => b.predictions - a.predictions)
}

const standardOf = ({ before, after }: Layouts): readonly (readonly string[])[] =>
  subsetsToMeasure(before)
    .map(({ hidden }) => new Set(before.slots.filter((_, slot) => hidden[slot] === 0).map(({ modality }) => modality)))
    .map((visible) => before.modalities.filter((_, m) => visible.has(m)))
    .filter((modalities) => modalities.every((name) => after.modalities.includes(name)))

const judged = (modalities: readonly string[], predictions: number | null, layouts: Layouts): JudgedSubset => ({
  name: namesOf(layouts).every((name) => modalities.includes(name)) ? 'all' : modalities.join('+'),
  predictions,
  before: seenBy(layouts.before, modalities),
  after: seenBy(layouts.after, modalities),
})

const seenBy = (layout: TokenLayout, names: readonly string[]): Subset => {
  const indices = layout.modalities.flatMap((name, m) => (names.includes(name) ? [m] : []))
  return modalitySubset(layout, indices, 'partial')
}
