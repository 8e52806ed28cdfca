/** Which strategy suits a model's inputs, when the person leaves it open. Pure: equal inputs choose the same. */
import type { StrategyOptions } from './strategy.ts'

export type ChosenStrategy = {
  readonly strategy: Exclude<StrategyOptions, { name: 'auto' }>
  /** A sentence, for people and for the record of the run. */
  readonly reason: string
}

/** `tokens`: tokens of each modality. */
export const chooseStrategy = (tokens: readonly number[]): ChosenStrategy => {
  if (tokens.length === 1) {
    return { strategy: { name: 'uniform' }, reason: 'a single modality has nothing that could dominate it' }
  }
  return {
    strategy: { name: 'miam', kappa: 10, lambdaScore: 1, lambdaSpeed: 1 },
    reason: 'nothing says that another would suit better',
  }
}
