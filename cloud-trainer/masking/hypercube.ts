/**
 * The law of MIAM's masking probabilities: a mixture of Beta distributions at the corners of the hypercube
 * [0, 1]^M, one axis for each modality, 1 = hidden (Zbinden et al. 2026).
 *
 * Corner c is drawn with weight W(c); then p_m | c_m = 0 ~ Beta(1, κ / w_m) and p_m | c_m = 1 ~ Beta(κ·w_m, 1).
 * W is a = 1/4 for all visible and for all hidden, and (1 − 2a) / (2^M − 2) for each other corner. Where each
 * modality has a single token, all hidden would show nothing, so all visible has 2a instead.
 */
import type { Uniform } from '#shared/std/random.ts'

export type CornerOptions = {
  /** a, the weight of each of the two corners where all modalities agree: 0 to 1/2. 2^−M weighs all corners alike. */
  readonly cornerMass: number
  /** Every modality has exactly one token. */
  readonly singleToken: boolean
}

/** 1/4 is the paper's. */
export const DEFAULT_CORNER_MASS = 1 / 4

/** One corner, in O(M): the 2^M corners are never listed. With one modality both corners have weight 1/2. */
export const drawCorner = (
  modalities: number,
  { cornerMass, singleToken }: CornerOptions,
  uniform: Uniform,
): readonly boolean[] => {
  const all = (hidden: boolean) => Array.from({ length: modalities }, () => hidden)
  if (modalities === 1 || uniform() < 2 * cornerMass) return all(!singleToken && uniform() < 0.5)
  for (;;) {
    const bits = Array.from({ length: modalities }, () => uniform() < 0.5)
    if (bits.includes(true) && bits.includes(false)) return bits
  }
}

/** One vector p, by inversion of the two distribution functions. All `lnW` 0 is the Beta hypercube. */
export const drawHypercube = (
  lnW: readonly number[],
  { kappa, ...corners }: CornerOptions & { readonly kappa: number },
  uniform: Uniform,
): readonly number[] =>
  drawCorner(lnW.length, corners, uniform).map((hidden, m) => {
    const w = Math.exp(lnW[m]!)
    return hidden ? Math.exp(Math.log(uniform()) / (kappa * w)) : -Math.expm1((Math.log(uniform()) * w) / kappa)
  })
