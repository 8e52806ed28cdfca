/** How far a model's scores fell from another's on the same observations. */
import type { SubsetScore } from './evaluate.ts'

export type ScoreDrop = {
  /** 0 to 1, as scores are; negative when every subset rose. */
  readonly drop: number
  readonly subset: string
}

/** The subset that fell farthest; null when nothing was measured. Both are of the same subsets, in one order. */
export const largestDrop = (
  before: readonly Pick<SubsetScore, 'subset' | 'value'>[],
  after: readonly Pick<SubsetScore, 'value'>[],
): ScoreDrop | null =>
  before
    .map(({ subset, value }, i) => ({ subset, drop: value - after[i]!.value }))
    .reduce<ScoreDrop | null>((most, one) => (most === null || one.drop > most.drop ? one : most), null)
