/** Scores of chosen parts of the inputs, with all else hidden: named subsets, combinations of bands, windows of a series. */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { difference, type Estimate, estimateOf, type MaskValues } from './games.ts'
import { hiddenSlots, type Player } from './players.ts'
import { allCoalitions } from './shapley.ts'
import { bootstrapP, fewestResamples, holm } from './significance.ts'

type NamedScore = Estimate & {
  readonly name: string
  readonly tokens: number
  /** Score with everything visible less this one's, paired. */
  readonly short: Estimate
}

export type NamedScores = { readonly subsets: readonly NamedScore[]; readonly everything: Estimate }

/** `subsets`: names and slots by index. */
export const scoreSubsets = async (
  layout: TokenLayout,
  subsets: readonly Player[],
  values: MaskValues,
): Promise<NamedScores> => {
  const masks = subsets.map((subset) => hiddenSlots(layout, [subset], Uint8Array.of(0)))
  const scores = await values([new Uint8Array(layout.slots.length), ...masks])
  const [everything, ...own] = scores
  return {
    everything: estimateOf(everything!),
    subsets: subsets.map(({ name, slots }, i) => ({
      name,
      tokens: slots.length,
      ...estimateOf(own[i]!),
      short: estimateOf(difference(everything!, own[i]!)),
    })),
  }
}

/** More parts would make more combinations than anyone reads. */
export const MOST_PARTS = 8

export type Combination = Estimate & {
  /** [parts]: whether the combination shows it. */
  readonly shows: readonly boolean[]
}

/** Every combination of at least one part, in the order of their number, all else hidden. */
export const scoreCombinations = async (
  layout: TokenLayout,
  parts: readonly Player[],
  values: MaskValues,
): Promise<readonly Combination[]> => {
  const coalitions = allCoalitions(parts.length).slice(1)
  const scores = await values(coalitions.map((coalition) => hiddenSlots(layout, parts, coalition)))
  return coalitions.map((coalition, i) => ({
    shows: Array.from(coalition, (hidden) => hidden === 0),
    ...estimateOf(scores[i]!),
  }))
}

/** Chance of a single false change point among all steps of a curve. */
export const CHANGE_LEVEL = 0.05

export type ContextStep = Estimate & {
  /** Latest periods that are visible. */
  readonly periods: number
  /** Against one period less, paired; null for the first. `p` is two-sided and adjusted for the number of steps. */
  readonly gain: (Estimate & { readonly p: number; readonly isChange: boolean }) | null
}

export type ContextCurve = {
  readonly steps: readonly ContextStep[]
  /** With fewer resamples no step can be found a change. */
  readonly fewestResamples: number
}

type SeriesSpec = Extract<ModalitySpec, { kind: 'series' }>

/**
 * The score with the last k periods of a series visible, k = 1 … K, all else hidden. A step is a change point when its
 * gain over the step before is told from 0 at 5 % by the paired bootstrap over observations, after Holm's adjustment for
 * all steps of the curve.
 */
export const scoreContext = async (
  layout: TokenLayout,
  spec: SeriesSpec,
  values: MaskValues,
): Promise<ContextCurve> => {
  const scores = await values(
    Array.from({ length: spec.periods }, (_, i) =>
      hiddenSlots(layout, [{ name: spec.name, slots: latestSlots(layout, spec, i + 1) }], Uint8Array.of(0)),
    ),
  )
  const gains = scores.slice(1).map((score, i) => difference(score, scores[i]!))
  const adjusted = holm(gains.map((gain) => bootstrapP(Array.from(gain.subarray(1)))))
  return {
    steps: scores.map((score, i) => ({
      periods: i + 1,
      ...estimateOf(score),
      gain:
        i === 0
          ? null
          : { ...estimateOf(gains[i - 1]!), p: adjusted[i - 1]!, isChange: adjusted[i - 1]! <= CHANGE_LEVEL },
    })),
    fewestResamples: fewestResamples(gains.length, CHANGE_LEVEL),
  }
}

/** Slots of the last `count` periods of every variable: a series' slots lie variable by variable, oldest period first. */
const latestSlots = (layout: TokenLayout, spec: SeriesSpec, count: number): readonly number[] => {
  // By block, since the spec may share its modality with others.
  const block = layout.blocks.findIndex(({ name }) => name === `${spec.name}.period`)
  const own = layout.slots.flatMap((slot, i) => (slot.block === block ? [i] : []))
  return own.filter((_, i) => i % spec.periods >= spec.periods - count)
}
