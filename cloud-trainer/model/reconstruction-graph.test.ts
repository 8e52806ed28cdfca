import { describe, expect, test } from 'vitest'
import { type Feed, openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { drawTokens, exactly, smallConfig, smallLayout, withHiddenFeatures } from '#test/support/small-model.ts'
import { interpret } from '../graph/interpret.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { neededNodes } from '../graph/program.ts'
import { encoderSize, initialWeights, parameterTable, reconstructionTable, weightFeeds } from './parameters.ts'
import { countTargets, packReconstruction, type ReconstructionBatch, tokenWeights } from './reconstruction-batch.ts'
import { guessingProgram, guessOutput, reconstructionProgram } from './reconstruction-graph.ts'
import { gradientOutput } from './training-graph.ts'

const layout = smallLayout()

/** Missing tokens hold NaN. `share`: hidden by the step, of those that are there. */
const drawStep = (seed: number, count: number, share: number) => {
  const random = randomStream(seed, 'step')
  const rows = Array.from({ length: count }, () => drawTokens(random, layout, 0.2))
  const masks = rows.map(() => Uint8Array.from(layout.slots, () => Number(random.uniform() < share)))
  const scale = {
    mean: Float32Array.from({ length: layout.featureCount }, () => random.normal()),
    deviation: Float32Array.from({ length: layout.featureCount }, () => 0.5 + random.uniform()),
  }
  return { rows, masks, scale }
}

type Step = ReturnType<typeof drawStep>

const batchOf = ({ rows, masks, scale }: Step): ReconstructionBatch => {
  const targets = masks.map((mask, b) => mask.map((x, s) => (x === 1 && rows[b]!.hidden[s] === 0 ? 1 : 0)))
  const counts = countTargets(
    layout,
    rows.map(({ hidden }, b) => ({ missing: hidden, hidden: masks[b]! })),
  )
  return {
    rows: rows.map(({ features, hidden }, b) => ({ features, hidden: hidden.map((x, s) => x | masks[b]![s]!) })),
    targets,
    scale,
    tokenWeights: tokenWeights(counts),
  }
}

const part = (batch: ReconstructionBatch, from: number, to: number): ReconstructionBatch => ({
  ...batch,
  rows: batch.rows.slice(from, to),
  targets: batch.targets.slice(from, to),
})

const drawWeights = (config: ReturnType<typeof smallConfig>): Float32Array => {
  const random = randomStream(5, 'weights')
  return initialWeights(reconstructionTable(config, layout), config, layout, random).map(
    (w) => w + 0.1 * random.normal(),
  )
}

describe.each(['drop', 'replace'] as const)('%s', (mode) => {
  const config = smallConfig({ mode })
  const table = reconstructionTable(config, layout)
  const weights = drawWeights(config)

  test('gradients are the slopes of the loss in float64', () => {
    const random = randomStream(5, 'directions')
    const program = reconstructionProgram(config, layout)
    const feeds = exactly({
      ...weightFeeds(table, weights),
      ...packReconstruction(config, layout, batchOf(drawStep(1, 4, 0.5))),
    })
    const results = interpret(program, feeds)
    expect(results.loss!.data[0]).toBeGreaterThan(0.1)
    const outputs = new Map([['loss', program.outputs.get('loss')!]])
    const forward = { ...program, outputs, nodes: neededNodes(program.nodes, outputs) }
    for (const { name } of table.specs) {
      const gradient = Array.from(results[gradientOutput(name)]!.data)
      const direction = gradient.map((g) => g + 0.1 * random.normal())
      const length = Math.hypot(...direction)
      const unit = direction.map((d) => d / length)
      const at = (step: number): number => {
        const { shape, data } = feeds[name]!
        return interpret(forward, { ...feeds, [name]: { shape, data: data.map((w, i) => w + step * unit[i]!) } }).loss!
          .data[0]!
      }
      const slope = (at(1e-5) - at(-1e-5)) / 2e-5
      const expected = gradient.reduce((total, g, i) => total + g * unit[i]!, 0)
      expect(Math.abs(slope - expected), name).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)))
    }
  })

  test('the loss is the error of the guesses, averaged within a modality, then over those with targets', async () => {
    const step = drawStep(2, 6, 0.5)
    // Nothing of the first modality is hidden: two are left.
    const masks = step.masks.map((mask) => mask.map((x, s) => (layout.slots[s]!.modality === 0 ? 0 : x)))
    const batch = batchOf({ ...step, masks })
    const feeds = { ...weightFeeds(table, weights), ...packReconstruction(config, layout, batch) }
    const guessed = await runOnce(guessingProgram(config, layout), feeds)
    const { loss } = await runOnce(reconstructionProgram(config, layout), feeds)
    const errors = layout.modalities.map(() => [] as number[])
    for (const [i, { name, features, groups }] of layout.blocks.entries()) {
      const { data, shape } = guessed[guessOutput(name)]!
      const [index, target] = [feeds[`target.${name}.row`]!, feeds[`target.${name}`]!]
      const inverse = feeds[`target.${name}.inverse`]!.data
      const places = shape[1]!
      for (let at = 0; at < groups * places; at++) {
        const place = index.data[at]!
        if (inverse[place] !== at) continue
        const { modality, block, offset } = layout.slots[place % layout.slots.length]!
        expect(block).toBe(i)
        const own = batch.rows[Math.floor(place / layout.slots.length)]!.features
        let sum = 0
        for (let f = 0; f < features; f++) {
          const value = (own[offset + f]! - step.scale.mean[offset + f]!) / step.scale.deviation[offset + f]!
          expect(target.data[at * features + f]).toBeCloseTo(value, 5)
          sum += (data[at * features + f]! - value) ** 2
        }
        errors[modality]!.push(sum / features)
      }
    }
    expect(errors[0]).toEqual([])
    const means = errors.slice(1).map((list) => list.reduce((a, b) => a + b) / list.length)
    expect(loss!.data[0]).toBeCloseTo((means[0]! + means[1]!) / 2, 5)
  })

  test('parts of a step add up to its loss and gradients', async () => {
    const batch = batchOf(drawStep(3, 7, 0.6))
    const run = (some: ReconstructionBatch) =>
      runOnce(reconstructionProgram(config, layout), {
        ...weightFeeds(table, weights),
        ...packReconstruction(config, layout, some),
      })
    const whole = await run(batch)
    const [first, second] = [await run(part(batch, 0, 3)), await run(part(batch, 3, 7))]
    expect(first.loss!.data[0]! + second.loss!.data[0]!).toBeCloseTo(whole.loss!.data[0]!, 5)
    for (const { name } of table.specs) {
      const [a, b, sum] = [first, second, whole].map((results) => results[gradientOutput(name)]!.data)
      const most = sum!.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-3)
      for (let i = 0; i < sum!.length; i++) expect(Math.abs(a![i]! + b![i]! - sum![i]!) / most).toBeLessThan(1e-5)
    }
  })

  test('values of hidden tokens reach the loss alone, and missing ones nothing', async () => {
    const step = drawStep(4, 5, 0.5)
    const batch = batchOf(step)
    const changed = { ...batch, rows: batch.rows.map((row) => withHiddenFeatures(row, layout, 99)) }
    const [feeds, others] = [packReconstruction(config, layout, batch), packReconstruction(config, layout, changed)]
    const isTarget = (name: string) => layout.blocks.some((block) => name === `target.${block.name}`)
    for (const [name, { data }] of Object.entries(feeds)) {
      expect(data.every(Number.isFinite), name).toBe(true)
      if (!isTarget(name)) expect(others[name]!.data, name).toEqual(data)
    }
    const program = guessingProgram(config, layout)
    const own = weightFeeds(table, weights)
    const [before, after] = [
      await runOnce(program, { ...own, ...feeds }),
      await runOnce(program, { ...own, ...others }),
    ]
    for (const { name } of layout.blocks)
      expect(after[guessOutput(name)]!.data).toEqual(before[guessOutput(name)]!.data)
  })

  test('an encoder begins the table of every model that has it', () => {
    const size = encoderSize(config, layout)
    const whole = parameterTable(config, layout)
    const within = ({ specs }: typeof table) => specs.filter(({ offset }) => offset < size)
    expect(within(table)).toEqual(within(whole))
    expect(whole.specs.find(({ offset }) => offset === size)!.name).toBe('head.norm.scale')
  })
})

const runOnce = async (
  program: Parameters<typeof encodeProgram>[0],
  feeds: Readonly<Record<string, Feed>>,
): Promise<Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>>> => {
  const session = await openSession(encodeProgram(program))
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}
