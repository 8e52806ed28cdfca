import type { Evidence } from '#shared/domain/prediction.ts'
import type { TokenLayout, TokenSet } from './layout.ts'

/** How many tokens of each modality are visible, of how many; modalities without any are listed too. */
export const evidenceOf = ({ modalities, slots }: TokenLayout, { hidden }: TokenSet): Evidence => {
  const total = new Uint32Array(modalities.length)
  const visible = new Uint32Array(modalities.length)
  for (const [i, { modality }] of slots.entries()) {
    total[modality]!++
    if (hidden[i] === 0) visible[modality]!++
  }
  return Object.fromEntries(modalities.map((name, m) => [name, { visibleTokens: visible[m]!, totalTokens: total[m]! }]))
}
