import { describe, expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { relativeDifference } from '#test/support/graph-run.ts'
import {
  drawBatch,
  drawTokens,
  drawWeights,
  openStepper,
  smallConfig,
  smallLayout,
  withHiddenFeatures,
} from '#test/support/small-model.ts'
import { buildInferenceGraph, inferenceProgram } from './inference-graph.ts'
import { parameterTable, weightFeeds } from './parameters.ts'

const layout = smallLayout()

const openModel = async (mode: 'drop' | 'replace') => {
  const config = smallConfig({ mode, width: 32, heads: 4, layers: 3 })
  const random = randomStream(31, mode)
  const weights = drawWeights(random, config, layout)
  const session = await openSession(buildInferenceGraph(config, layout, weights))
  const predict = async (rows: readonly TokenSet[]): Promise<Float32Array> =>
    (await session.run(packInferenceBatch(layout, mode, rows))).logits!.data
  return { config, random, weights, predict, [Symbol.asyncDispose]: session.close }
}

describe.each(['drop', 'replace'] as const)('%s', (mode) => {
  test('logits are those of the training graph, whether weights are part of the file or fed', async () => {
    await using model = await openModel(mode)
    const { config, random, weights, predict } = model
    const batch = drawBatch(random, layout, config.labels, 16, 0.5)
    await using stepper = await openStepper(config, layout)
    const { logits } = await stepper.run(weights, batch)
    expect(relativeDifference(await predict(batch.rows), logits, 1)).toBeLessThan(1e-5)
    const session = await openSession(buildInferenceGraph(config, layout, 'inputs'))
    const fed = await session.run({
      ...weightFeeds(parameterTable(config, layout), weights),
      ...packInferenceBatch(layout, mode, batch.rows),
    })
    await session.close()
    expect(relativeDifference(fed.logits!.data, logits, 1)).toBeLessThan(1e-5)
  })

  test('an observation without a visible token has an answer, and every empty one has the same', async () => {
    await using model = await openModel(mode)
    const empty = drawTokens(model.random, layout, 1)
    const other = withHiddenFeatures(empty, layout, 3)
    const some = drawTokens(model.random, layout, 0.3)
    const alone = await model.predict([empty])
    expect(alone.every(Number.isFinite)).toBe(true)
    expect(await model.predict([other])).toEqual(alone)
    const { labels } = model.config
    expect(relativeDifference((await model.predict([some, empty])).subarray(labels), alone, 1)).toBeLessThan(1e-6)
  })

  test('values of hidden tokens never reach the answer: equal bits', async () => {
    await using model = await openModel(mode)
    const rows = Array.from({ length: 5 }, () => drawTokens(model.random, layout, 0.5))
    const expected = await model.predict(rows)
    expect(expected.every(Number.isFinite)).toBe(true)
    expect(await model.predict(rows.map((row) => withHiddenFeatures(row, layout, -1e20)))).toEqual(expected)
  })

  test('an observation alone is its row of a batch, whatever else is in it', async () => {
    await using model = await openModel(mode)
    const { labels } = model.config
    const rows = [0.9, 0.5, 0, 0.7].map((share) => drawTokens(model.random, layout, share))
    const together = await model.predict(rows)
    const reversed = await model.predict(rows.toReversed())
    for (const [b, row] of rows.entries()) {
      const alone = await model.predict([row])
      expect(relativeDifference(together.subarray(b * labels, (b + 1) * labels), alone, 1)).toBeLessThan(1e-6)
      const place = (3 - b) * labels
      expect(relativeDifference(reversed.subarray(place, place + labels), alone, 1)).toBeLessThan(1e-6)
    }
  })

  test('an answer depends on every visible value', async () => {
    await using model = await openModel(mode)
    const { features, hidden } = drawTokens(model.random, layout, 0)
    const expected = await model.predict([{ features, hidden }])
    for (let i = 0; i < features.length; i++) {
      const changed = features.with(i, features[i]! + 1)
      expect(await model.predict([{ features: changed, hidden }]), `feature ${i}`).not.toEqual(expected)
    }
  })
})

test('a file holds no scaling of norms: they are folded into the products', () => {
  const config = smallConfig({ layers: 2 })
  const { nodes } = inferenceProgram(config, layout, drawWeights(randomStream(32, 'fold'), config, layout))
  const norms = nodes.filter(({ op }) => op === 'LayerNormalization')
  // Two of each layer with a scale of ones; the head's keeps its own, since no product follows it.
  expect(norms.map(({ inputs }) => inputs.length)).toEqual([2, 2, 2, 2, 2, 3])
  const scales = norms.slice(0, -1).map(({ inputs }) => inputs[1]!.constant!)
  expect(scales.every((scale) => scale.every((x) => x === 1))).toBe(true)
  expect(nodes.filter(({ op }) => op === 'ReduceMean' || op === 'Split').map(({ op }) => op)).toEqual([
    'Split',
    'Split',
  ])
})
