/**
 * Puts back what the loss has taken out: how frequent each label is. Training weighs a positive by a and a negative by
 * b so that both classes count the same; the minimum of y·a·softplus(−z) + (1−y)·b·softplus(z) lies at
 * z = ln(p/(1−p)) + ln(a/b), the log odds of a world where the label is as often present as absent. Subtracting
 * ln(a/b) from the head's bias gives the log odds of the training part (Elkan 2001, theorem 2). AUC can't change by it.
 */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import { parameterTable } from '../model/parameters.ts'

/** Weights of the loss by label; both 0 for one that could not be learned, which is left as it is. */
export type ClassWeights = { readonly positive: Float32Array; readonly negative: Float32Array }

/** A new array; training goes on from the old one. */
export const withBaseRates = (
  config: ModelConfig,
  layout: TokenLayout,
  weights: Float32Array,
  { positive, negative }: ClassWeights,
): Float32Array => {
  const bias = parameterTable(config, layout).specs.find(({ name }) => name === 'head.bias')
  assert(bias?.size === positive.length, 'each label has its weights', { bias: bias?.size, labels: positive.length })
  const shifted = weights.slice()
  for (const [label, a] of positive.entries()) {
    if (a > 0) shifted[bias.offset + label]! -= Math.log(a / negative[label]!)
  }
  return shifted
}
