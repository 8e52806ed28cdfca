import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { smallConfig, smallLayout } from '#test/support/small-model.ts'
import { defaultModelConfig, type ModelConfig } from './config.ts'
import { initialWeights, parameterTable, weightFeeds } from './parameters.ts'
import { trainingProgram } from './training-graph.ts'

/** The slots of blocks whose groups each appear `times` times. */
const layoutOf = (blocks: readonly (TokenLayout['blocks'][number] & { readonly times: number })[]): TokenLayout => {
  let offset = 0
  const slots = blocks.flatMap(({ name, groups, features, times }, block) =>
    Array.from({ length: groups * times }, (_, i) => {
      const slot = { name: `${name}[${i}]`, modality: block, block, group: i % groups, offset }
      offset += features
      return slot
    }),
  )
  return { modalities: blocks.map(({ name }) => name), blocks, slots, featureCount: offset }
}

/** The paper's GeoPlant model, tokenizers by our choice: 48 variables, 76 + 126 series tokens, 100 patches. */
const GEOPLANT = layoutOf([
  { name: 'tabular', encoding: 'periodic', groups: 48, features: 1, times: 1 },
  { name: 'landsat', encoding: 'linear', groups: 6, features: 4, times: 21 },
  { name: 'climate', encoding: 'linear', groups: 4, features: 12, times: 19 },
  { name: 'sentinel', encoding: 'linear', groups: 4, features: 625, times: 25 },
])

const PAPER: ModelConfig = {
  ...defaultModelConfig(1783),
  width: 192,
  layers: 3,
  heads: 8,
  feedForward: 256,
  activation: 'relu',
  mode: 'replace',
  frequencies: 48,
  frequencySigma: 0.01,
}

const sizeOf = (config: ModelConfig, layout: TokenLayout, prefix: string): number =>
  parameterTable(config, layout)
    .specs.filter(({ name }) => name.startsWith(prefix))
    .reduce((sum, { size }) => sum + size, 0)

test("the paper's GeoPlant model has its number of parameters, part by part", () => {
  expect(GEOPLANT.slots).toHaveLength(350)
  expect(sizeOf(PAPER, GEOPLANT, 'layer.0')).toBe(247_744)
  expect(sizeOf(PAPER, GEOPLANT, 'embed.tabular')).toBe(896_256)
  expect(sizeOf(PAPER, GEOPLANT, 'embed.landsat') + sizeOf(PAPER, GEOPLANT, 'embed.climate')).toBe(15_744)
  expect(sizeOf(PAPER, GEOPLANT, 'embed.sentinel')).toBe(480_768)
  expect(sizeOf(PAPER, GEOPLANT, 'head')).toBe(344_503)
  expect(sizeOf(PAPER, GEOPLANT, 'mask')).toBe(192)
  expect(sizeOf(PAPER, GEOPLANT, 'identity')).toBe(67_200)
  expect(parameterTable(PAPER, GEOPLANT).total).toBe(2_547_895)
  // In drop mode the CLS token's vector stands in for the mask's.
  expect(parameterTable({ ...PAPER, mode: 'drop' }, GEOPLANT).total).toBe(2_547_895)
})

test('the table covers the flat array without gaps, in an order that graphs keep', () => {
  const layout = smallLayout()
  for (const mode of ['drop', 'replace'] as const) {
    const { specs, total } = parameterTable(smallConfig({ mode }), layout)
    let offset = 0
    for (const spec of specs) {
      expect(spec.offset).toBe(offset)
      expect(spec.size).toBe(spec.shape.reduce((n, size) => n * size, 1))
      offset += spec.size
    }
    expect(offset).toBe(total)
    const { inputs, outputs } = trainingProgram(smallConfig({ mode }), layout)
    const names = specs.map(({ name }) => name)
    expect(inputs.slice(0, specs.length).map(({ name }) => name)).toEqual(names)
    expect([...outputs.keys()]).toEqual(['loss', 'logits', ...names.map((name) => `d.${name}`)])
  }
})

test('initial weights follow their laws', () => {
  const config = { ...PAPER, layers: 1, labels: 200 }
  const table = parameterTable(config, GEOPLANT)
  const weights = initialWeights(table, config, GEOPLANT, randomStream(1, 'init'))
  const feeds = weightFeeds(table, weights)
  const spread = (name: string): { readonly most: number; readonly variance: number } => {
    const { data } = feeds[name]!
    return {
      most: data.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
      variance: data.reduce((sum, x) => sum + x * x, 0) / data.length,
    }
  }
  for (const [name, fanIn] of [
    ['layer.0.attention.qkv.weight', 192],
    ['layer.0.feed.out.weight', 256],
    ['embed.tabular.weight', 96],
    ['embed.sentinel.weight', 625],
    ['identity', 192],
  ] as const) {
    const { most, variance } = spread(name)
    const { length } = feeds[name]!.data
    expect(most).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(fanIn)))
    // Uniform on ±a: variance a²/3, and five standard errors √(4/45)·a²/√n of its estimate.
    expect(Math.abs(variance * 3 * fanIn - 1)).toBeLessThan((5 * 3 * Math.sqrt(4 / 45)) / Math.sqrt(length))
  }
  // A normal cut at 3σ has variance 0.97334 σ².
  const { most, variance } = spread('embed.tabular.frequencies')
  expect(most).toBeLessThanOrEqual(0.03)
  expect(Math.abs(variance / 0.97334e-4 - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(48 * 48))
  expect(spread('head.norm.scale')).toEqual({ most: 1, variance: 1 })
  expect(spread('layer.0.feed.in.bias').most).toBe(0)
})

test('equal seeds give equal weights, and feeds share the memory of the flat array', () => {
  const layout = smallLayout()
  const config = smallConfig()
  const table = parameterTable(config, layout)
  const draw = (seed: number) => initialWeights(table, config, layout, randomStream(seed, 'init'))
  expect(draw(5)).toEqual(draw(5))
  expect(draw(5)).not.toEqual(draw(6))
  const weights = draw(5)
  const { identity } = weightFeeds(table, weights)
  weights.fill(7)
  expect(identity!.data[0]).toBe(7)
})

test('sizes that no model can have are refused', () => {
  const layout = smallLayout()
  expect(() => parameterTable(smallConfig({ width: 10 }), layout)).toThrow('divisible by the heads')
  expect(() => parameterTable(smallConfig({ layers: 0 }), layout)).toThrow('positive integers')
  expect(() => parameterTable(smallConfig({ labels: 1.5 }), layout)).toThrow('positive integers')
  const blocks = layout.blocks.map((block) => ({ ...block, encoding: 'periodic' as const }))
  expect(() => parameterTable(smallConfig(), { ...layout, blocks })).toThrow('periodic block expands one number')
})
