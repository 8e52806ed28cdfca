/**
 * OPM, on-the-fly prediction modulation (Wei et al. 2024, TPAMI): a modality that is stronger than the others is
 * hidden as a whole, the more often the stronger it is. Of the original we use the rates alone: no warm-up, no
 * rescaling of what is kept, one draw for a batch.
 */
import { FLOOR } from './imbalance.ts'

export type OpmOptions = {
  /** q_base, 0 to 1. */
  readonly rate: number
  /** λ_o ≥ 0. */
  readonly lambda: number
}

/**
 * q by modality: q_base · (1 + λ_o · tanh(ρ_m − 1)) where ρ_m > 1, else 0; ρ_m is the mean over j ≠ m of s_m / s_j.
 * The weakest modality is never hidden, so the input never is; equal scores hide nothing. A q above 1 hides always.
 * scores: s_m, 0 to 1, raised to the floor that MIAM has.
 */
export const opmRates = (scores: readonly number[], { rate, lambda }: OpmOptions): readonly number[] => {
  const raised = scores.map((score) => Math.max(score, FLOOR))
  return raised.map((score, m) => {
    const others = raised.filter((_, j) => j !== m)
    const ratio = others.reduce((sum, other) => sum + score / other, 0) / others.length
    return ratio > 1 ? rate * (1 + lambda * Math.tanh(ratio - 1)) : 0
  })
}
