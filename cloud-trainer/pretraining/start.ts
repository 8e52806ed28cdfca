/** What a pre-trained encoder gives to the model that goes on from it. */
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import { encoderSize, initialWeights, parameterTable } from '../model/parameters.ts'

/** `pretrained`: begins with the encoder of the same configuration and layout. The head is drawn as for a new model. */
export const startingWeights = (
  config: ModelConfig,
  layout: TokenLayout,
  pretrained: Float32Array,
  seed: number,
): Float32Array => {
  const weights = initialWeights(parameterTable(config, layout), config, layout, randomStream(seed, 'init'))
  weights.set(pretrained.subarray(0, encoderSize(config, layout)))
  return weights
}
