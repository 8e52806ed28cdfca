/** What can be set of a made set of data: how unlike, how redundant, how many and how long its modalities are. */
import { assert } from '#shared/std/assert.ts'

export type Dials = {
  /** From the strongest to the weakest. */
  readonly modalities: number
  /** Reliability of the strongest modality over that of the weakest, ≥ 1; the others lie between on a ladder of equal ratios. */
  readonly dominance: number
  /** Share of what a modality shows that all of them show, 0 to 1; at 1 they show one and the same latent state. */
  readonly redundancy: number
  /** Of the strongest and of the weakest modality; the others lie between on a ladder of equal ratios. */
  readonly tokens: readonly [strongest: number, weakest: number]
  /**
   * `coded`: the weaker half of the modalities shows its factors times a sign, beside that sign. It says as much as
   * `plain`, but nothing linear reads it, so it is learned later.
   */
  readonly weakHalf: 'plain' | 'coded'
  /** Observations of the training and of the validation part. */
  readonly train: number
  readonly validation: number
}

/** The middle of the map. */
export const MIDDLE: Dials = {
  modalities: 3,
  dominance: 4,
  redundancy: 0.5,
  tokens: [8, 8],
  weakHalf: 'plain',
  train: 1200,
  validation: 300,
}

/** Share of the variance of the strongest modality that is no noise. */
const MOST_RELIABLE = 0.9

export type MadeModality = {
  readonly name: string
  /** Share of its variance that is no noise, all its tokens taken together, 0 to 1. */
  readonly reliability: number
  readonly tokens: number
  readonly isCoded: boolean
}

export const modalitiesOf = (dials: Dials): readonly MadeModality[] => {
  const { modalities, dominance, redundancy, tokens, weakHalf } = dials
  assert(modalities >= 1 && dominance >= 1, 'there are modalities, and the first is not the weaker', { ...dials })
  assert(redundancy >= 0 && redundancy <= 1 && Math.min(...tokens) >= 1, 'dials are in range', { ...dials })
  return Array.from({ length: modalities }, (_, m) => {
    const down = modalities === 1 ? 0 : m / (modalities - 1)
    return {
      name: `m${m + 1}`,
      reliability: MOST_RELIABLE * dominance ** -down,
      tokens: Math.round(tokens[0] * (tokens[1] / tokens[0]) ** down),
      isCoded: weakHalf === 'coded' && m >= modalities / 2,
    }
  })
}
