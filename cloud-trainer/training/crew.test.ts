import { expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { defaultModelConfig, type ModelConfig } from '../model/config.ts'
import { initialWeights, parameterTable, weightFeeds } from '../model/parameters.ts'
import { openPredictor } from '../model/predictor.ts'
import { modalitySubset, restrict } from '../model/subset.ts'
import { buildTrainingGraph, packTrainingBatch } from '../model/training-graph.ts'
import { openCrew } from './crew.ts'
import { labelWeights } from './label-weights.ts'
import { missingAt, shareExamples } from './shared-examples.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 4, noise: 0.5, missing: 0.2 },
    { name: 'sound', tokens: 2, noise: 1, missing: 0.4 },
  ],
  labels: 3,
  train: 41,
  validation: 30,
  seed: 3,
})
const { layout } = set

const setUp = (mode: ModelConfig['mode'], workers: number, limitBytes = 2 ** 30, dropout = 0, isTaught = false) => {
  const sizes = { width: 16, layers: 2, heads: 2, feedForward: 32, frequencies: 4 }
  const config: ModelConfig = { ...defaultModelConfig(3), ...sizes, mode, dropout }
  const table = parameterTable(config, layout)
  const train = shareExamples(layout, 3, set.train)
  const rows = Int32Array.from({ length: 41 }, (_, i) => i)
  return {
    config,
    table,
    rows,
    hidden: Uint8Array.from(Array.from(rows, (row) => [...missingAt(train, layout, row)]).flat()),
    weights: initialWeights(table, config, layout, randomStream(1, 'init')),
    crew: openCrew({
      config,
      layout,
      train,
      validation: shareExamples(layout, 3, set.validation),
      labelWeights: labelWeights(set.train.labels, 3),
      workers,
      limitBytes,
      isTaught,
    }),
  }
}

const largest = (values: Float32Array): number => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

test.each([
  ['drop', 3, 2 ** 30, 0],
  ['replace', 3, 2 ** 30, 0],
  ['drop', 2, 60_000, 0],
  ['replace', 1, 60_000, 0],
  ['drop', 3, 60_000, 0.3],
  ['replace', 2, 2 ** 30, 0.3],
] as const)(
  '%s, %i threads, runs of %i bytes, dropout %f: as one run of the graph',
  async (mode, threads, bytes, dropout) => {
    const { crew, config, table, rows, hidden, weights } = setUp(mode, threads, bytes, dropout)
    await using _ = crew
    const drawn = { seed: 4, step: 2 }
    const { loss, gradient } = await crew.gradient(weights, rows, hidden, drawn)
    const session = await openSession(buildTrainingGraph(config, layout).bytes)
    const { positive, negative } = labelWeights(set.train.labels, 3)
    const batch = {
      rows: set.train.rows,
      labels: set.train.labels,
      positiveWeight: positive,
      negativeWeight: negative,
      noise: { ...drawn, observations: rows },
    }
    const whole = await session.run({ ...weightFeeds(table, weights), ...packTrainingBatch(config, layout, batch) })
    expect(Math.abs(loss - whole.loss!.data[0]!)).toBeLessThan(2e-6)
    for (const { name, offset, size } of table.specs) {
      const expected = whole[`d.${name}`]!.data
      const found = gradient.subarray(offset, offset + size)
      for (const [i, g] of found.entries()) {
        // Gradients that are 0 in truth (a key's bias) are rounding noise on both sides.
        expect(Math.abs(g - expected[i]!), name).toBeLessThan(5e-6 * Math.max(largest(expected), 0.01))
      }
    }
    await session.close()
  },
)

test('equal threads give equal bits, step after step', async () => {
  const runs = await Promise.all(
    [1, 2].map(async () => {
      const { crew, rows, hidden, weights } = setUp('drop', 2)
      await using _ = crew
      await crew.gradient(weights, rows.subarray(0, 9), hidden.subarray(0, 9 * layout.slots.length))
      return (await crew.gradient(weights, rows, hidden)).gradient.slice()
    }),
  )
  expect(runs[0]).toEqual(runs[1])
})

test('more threads than observations: some have nothing to do', async () => {
  const { crew, rows, hidden, weights } = setUp('drop', 3)
  await using _ = crew
  const { loss, gradient } = await crew.gradient(weights, rows.subarray(0, 1), hidden.subarray(0, layout.slots.length))
  expect(loss).toBeGreaterThan(0)
  expect(gradient.every(Number.isFinite)).toBe(true)
})

test('logits through subsets are those of the predictor', async () => {
  const { crew, config, weights } = setUp('drop', 2)
  await using _ = crew
  const subsets = [modalitySubset(layout, [1], 'single'), modalitySubset(layout, [0, 1], 'all')]
  const measured = await crew.logits(
    weights,
    subsets.map(({ hidden }) => hidden),
  )
  await using predictor = await openPredictor(config, layout, weights, { threads: 1 })
  for (const [s, subset] of subsets.entries()) {
    const expected = await predictor.predict(set.validation.rows.map((row) => restrict(row, subset)))
    for (const [i, z] of expected.entries()) expect(Math.abs(measured[s]![i]! - z)).toBeLessThan(1e-5)
  }
})

test('taught by its own answers alone, the whole input has nothing more to learn at these weights', async () => {
  const { crew, rows, hidden, weights } = setUp('drop', 2, 2 ** 30, 0, true)
  await using _ = crew
  const before = (await crew.gradient(weights, rows, hidden)).gradient.slice()
  await crew.teach(weights, 1)
  const after = (await crew.gradient(weights, rows, hidden)).gradient.slice()
  expect(largest(after)).toBeLessThan(1e-5 * largest(before))
  // The loss is linear in its targets.
  await crew.teach(weights, 0.25)
  const mixed = (await crew.gradient(weights, rows, hidden)).gradient
  for (const [i, g] of before.entries()) expect(Math.abs(mixed[i]! - 0.75 * g)).toBeLessThan(1e-5 * largest(before))
})

test('a thread that fails fails the step, with its reason', async () => {
  const { crew, weights, hidden } = setUp('drop', 2)
  await using _ = crew
  const nowhere = Int32Array.of(0, 1, 4000, 3)
  await expect(crew.gradient(weights, nowhere, hidden.subarray(0, 4 * layout.slots.length))).rejects.toMatchObject({
    code: 'failed',
    cause: { message: expect.stringContaining('a token set fits its layout') },
  })
})
