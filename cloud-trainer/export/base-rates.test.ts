import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { defaultModelConfig } from '../model/config.ts'
import { initialWeights, parameterTable } from '../model/parameters.ts'
import { openPredictor } from '../model/predictor.ts'
import { labelWeights } from '../training/label-weights.ts'
import { withBaseRates } from './base-rates.ts'

test('logits move by the log odds of each label, and not at all where nothing was learned', async () => {
  const layout = layoutOf([
    { kind: 'tabular', name: 'weather', variables: [{ type: 'number', name: 't', mean: 0, deviation: 1 }] },
  ])
  const config = { ...defaultModelConfig(3), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 2 }
  const weights = initialWeights(parameterTable(config, layout), config, layout, randomStream(1, 'weights'))
  // One positive of four, two of three known, none of four.
  const labels = Float32Array.of(1, 1, 0, 0, 1, 0, 0, 0, 0, 0, Number.NaN, 0)
  const shifted = withBaseRates(config, layout, weights, labelWeights(labels, 3))
  const rows = [-1, 0, 2].map((t) => ({ features: Float32Array.of(t), hidden: Uint8Array.of(0) }))
  const logitsOf = async (some: Float32Array) => {
    await using predictor = await openPredictor(config, layout, some, { threads: 1 })
    return predictor.predict(rows)
  }
  const [before, after] = [await logitsOf(weights), await logitsOf(shifted)]
  for (const [i, z] of after.entries()) {
    expect(z - before[i]!).toBeCloseTo([Math.log(1 / 3), Math.log(2), 0][i % 3]!, 4)
  }
})
