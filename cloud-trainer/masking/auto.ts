/** Which strategy suits a model's inputs, when the person leaves it open. Pure: equal inputs choose the same. */
import type { StrategyOptions } from './strategy.ts'

export type ChosenStrategy = {
  readonly strategy: Exclude<StrategyOptions, { name: 'auto' }>
  /** A sentence, for people and for the record of the run. */
  readonly reason: string
}

/**
 * The map of made data (docs/results/when-miam-helps) has no inputs on which MIAM at κ = 10, λ = 1 is far behind, and none
 * whose number of modalities and tokens would say that another is better. `tokens`: tokens of each modality.
 */
export const chooseStrategy = (tokens: readonly number[]): ChosenStrategy => {
  if (tokens.length === 1)
    return { strategy: { name: 'uniform' }, reason: 'a single modality has none to be balanced with' }
  const share = tokens.reduce((sum, count) => sum + count, 0)
  return {
    strategy: { name: 'miam' },
    reason: `with ${tokens.length} modalities of ${share} tokens, MIAM at its defaults was nowhere far behind the best on made data`,
  }
}
