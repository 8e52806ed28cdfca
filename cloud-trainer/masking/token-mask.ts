/** From p to the masks of a batch. */
import type { Uniform } from '#shared/std/random.ts'

/**
 * Masks of `missing.length` observations, [observations × slots], 1 = hidden: each token is hidden when its data
 * are missing (1 in `missing`), or else with the probability of its modality, independently. One uniform is drawn
 * for every slot, missing or not, so the numbers that follow don't depend on what is missing. No observation is
 * made to keep a token.
 * probabilities: for each observation, by modality. modalityOf: by slot.
 */
export const drawTokenMasks = (
  probabilities: readonly (readonly number[])[],
  modalityOf: Uint16Array,
  missing: readonly Uint8Array[],
  uniform: Uniform,
): Uint8Array => {
  const slots = modalityOf.length
  const hidden = new Uint8Array(missing.length * slots)
  let i = 0
  for (const [row, gone] of missing.entries()) {
    const p = probabilities[row]!
    for (let slot = 0; slot < slots; slot++) {
      const isDrawn = uniform() < p[modalityOf[slot]!]!
      hidden[i++] = isDrawn || gone[slot] === 1 ? 1 : 0
    }
  }
  return hidden
}
