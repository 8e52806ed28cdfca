import { expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { defaultModelConfig, type ModelConfig } from './config.ts'
import { blockBytes, placesOf, planInference } from './inference-batches.ts'
import { buildInferenceGraph } from './inference-graph.ts'
import { initialWeights, parameterTable } from './parameters.ts'
import { openPredictor } from './predictor.ts'

const { layout, train } = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 5, noise: 0.5, missing: 0.3 },
    { name: 'sound', tokens: 3, noise: 1, missing: 0.5 },
  ],
  labels: 4,
  train: 90,
  validation: 0,
  seed: 6,
})

const configOf = (mode: ModelConfig['mode']): ModelConfig => ({
  ...defaultModelConfig(4),
  width: 32,
  layers: 2,
  heads: 4,
  feedForward: 64,
  frequencies: 8,
  mode,
})

const weightsOf = (config: ModelConfig): Float32Array =>
  initialWeights(parameterTable(config, layout), config, layout, randomStream(1, 'init'))

test.each(['drop', 'replace'] as const)('%s: rows come back in order, equal to one run of each alone', async (mode) => {
  const config = configOf(mode)
  const weights = weightsOf(config)
  await using predictor = await openPredictor(config, layout, weights, { threads: 2, limitBytes: 200_000 })
  const [logits, again] = await Promise.all([predictor.predict(train.rows), predictor.predict(train.rows.slice(0, 7))])
  expect(logits.length).toBe(90 * 4)
  expect((await predictor.predict([])).length).toBe(0)

  const session = await openSession(buildInferenceGraph(config, layout, weights))
  for (const [i, row] of train.rows.slice(0, 12).entries()) {
    const alone = (await session.run(packInferenceBatch(layout, mode, [row]))).logits!.data
    for (const [c, z] of alone.entries()) {
      expect(Math.abs(logits[4 * i + c]! - z)).toBeLessThan(1e-5)
      if (i < 7) expect(Math.abs(again[4 * i + c]! - z)).toBeLessThan(1e-5)
    }
  }
  await session.close()
})

test('batches hold every row once, the longest first, within the limit', () => {
  const config = configOf('drop')
  const places = train.rows.map(({ hidden }) => placesOf(config, layout, hidden))
  expect(new Set(places)).toEqual(new Set([1, 4, 6, 9]))
  const limitBytes = 100_000
  const batches = planInference(config, places, limitBytes)
  expect(batches.length).toBeGreaterThan(2)
  expect(batches.flat().sort((a, b) => a - b)).toEqual(places.map((_, i) => i))
  for (const batch of batches) {
    const longest = Math.max(...batch.map((i) => places[i]!))
    expect(places[batch[0]!]).toBe(longest)
    expect(batch.length * blockBytes(config, longest)).toBeLessThanOrEqual(limitBytes)
  }
  expect(planInference(config, [3, 9, 5], 1)).toEqual([[1], [2], [0]])
})

test('a row that does not fit the layout is refused, and the predictor goes on', async () => {
  const config = configOf('drop')
  await using predictor = await openPredictor(config, layout, weightsOf(config), { threads: 1 })
  const wrong = { features: new Float32Array(2), hidden: new Uint8Array(8) }
  await expect(predictor.predict([wrong])).rejects.toThrow('a token set fits its layout')
  expect((await predictor.predict(train.rows.slice(0, 2))).length).toBe(8)
})
