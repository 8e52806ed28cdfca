import { describe, expect, test } from 'vitest'
import { type Random, randomStream } from '#shared/std/random.ts'
import { type Arrays, relativeDifference } from '#test/support/graph-run.ts'
import {
  drawBatch,
  drawWeights,
  exactly,
  openStepper,
  part,
  type Step,
  smallConfig,
  smallLayout,
  withHiddenFeatures,
} from '#test/support/small-model.ts'
import { interpret } from '../graph/interpret.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { neededNodes, type Program } from '../graph/program.ts'
import type { ModelConfig } from './config.ts'
import { parameterTable, weightFeeds } from './parameters.ts'
import { gradientOutput, packTrainingBatch, type TrainingBatch, trainingProgram } from './training-graph.ts'

const MODES = ['drop', 'replace'] as const
const ACTIVATIONS = ['gelu', 'relu'] as const
const VARIANTS = MODES.flatMap((mode) => ACTIVATIONS.map((activation) => ({ mode, activation })))

const layout = smallLayout()

/** The last observation's class stays unknown. */
const withClasses = (batch: TrainingBatch, labels: number): TrainingBatch => ({
  ...batch,
  labels: batch.labels.map((_, i) =>
    i >= batch.labels.length - labels ? Number.NaN : Number(i % labels === Math.floor(i / labels) % labels),
  ),
})

const draw = (config: ModelConfig, seed: number, count = 6, hiddenShare = 0.4) => {
  const random = randomStream(seed, 'model')
  const weights = drawWeights(random, config, layout)
  const batch = drawBatch(random, layout, config.labels, count, hiddenShare)
  const noise = { seed: 3, step: 7, observations: batch.rows.map((_, i) => 10 * i) }
  return { random, weights, noise, batch: config.task === 'single-label' ? withClasses(batch, config.labels) : batch }
}

const unit = (direction: ArrayLike<number>): Float64Array => {
  const values = Float64Array.from(direction)
  const length = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
  return values.map((x) => x / length)
}

/** Half random, half along the gradient: never so nearly across it that the loss stands still. */
const directionFor = (gradient: ArrayLike<number>, random: Random): Float64Array => {
  const along = unit(gradient)
  return unit(unit(along.map(() => random.normal())).map((x, i) => x + along[i]!))
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

describe('gradients of a whole model are the slopes of its loss', () => {
  test.each<Partial<ModelConfig>>([
    ...VARIANTS,
    { mode: 'drop', activation: 'gelu', task: 'single-label' },
    ...MODES.map((mode) => ({ mode, activation: 'gelu' as const, dropout: 0.3 })),
  ])('in float64, which ONNX Runtime agrees with: $mode, $activation, $task, dropout $dropout', async (changes) => {
    const config = smallConfig(changes)
    const { random, weights, noise, ...drawn } = draw(config, 11, 4)
    const batch = { ...drawn.batch, noise }
    const table = parameterTable(config, layout)
    const program = trainingProgram(config, layout)
    const feeds: Arrays = exactly({ ...weightFeeds(table, weights), ...packTrainingBatch(config, layout, batch) })
    const results = interpret(program, feeds)
    const outputs = new Map([['loss', program.outputs.get('loss')!]])
    const forward: Program = { ...program, outputs, nodes: neededNodes(program.nodes, outputs) }
    await using stepper = await openStepper(config, layout)
    const computed = await stepper.run(weights, batch)
    expect(Math.abs(computed.loss - results.loss!.data[0]!)).toBeLessThan(1e-6)
    for (const { name } of table.specs) {
      const { data: gradient } = results[gradientOutput(name)]!
      expect(relativeDifference(computed.gradients[name]!, gradient), name).toBeLessThan(3e-6)
      const direction = directionFor(gradient, random)
      const lossAt = (step: number): number => {
        const { shape, data } = feeds[name]!
        const moved = { shape, data: data.map((w, i) => w + step * direction[i]!) }
        return interpret(forward, { ...feeds, [name]: moved }).loss!.data[0]!
      }
      const slope = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5
      expect(Math.abs(slope - dot(gradient, direction)), name).toBeLessThan(1e-7 * Math.max(Math.abs(slope), 0.1))
    }
  })

  test.each(VARIANTS)('on ONNX Runtime: $mode, $activation', async ({ mode, activation }) => {
    const config = smallConfig({ mode, activation, width: 32, heads: 4, layers: 3, feedForward: 64 })
    const { random, weights, batch } = draw(config, 12, 64)
    await using stepper = await openStepper(config, layout, 2)
    const { gradients } = await stepper.run(weights, batch)
    for (const { name, offset, size } of parameterTable(config, layout).specs) {
      const direction = directionFor(gradients[name]!, random)
      const step = 3e-3
      const lossAt = async (sign: number): Promise<number> => {
        const moved = weights.slice()
        for (let i = 0; i < size; i++) moved[offset + i] = moved[offset + i]! + sign * step * direction[i]!
        return (await stepper.run(moved, batch)).loss
      }
      const slope = ((await lossAt(1)) - (await lossAt(-1))) / (2 * step)
      const expected = dot(gradients[name]!, direction)
      // Frequencies are multiplied by 2πx before a ReLU, and a step carries some numbers across its kink.
      const limit = name.endsWith('frequencies') ? 0.1 : 1e-2
      expect(Math.abs(slope - expected), name).toBeLessThan(limit * Math.abs(expected))
    }
  })
})

/** Each gradient tensor of one step against that of another, as a share of its largest entry. */
const expectClose = (
  actual: Step,
  expected: Step,
  limits: { readonly loss: number; readonly gradient: number },
): void => {
  expect(Math.abs(actual.loss - expected.loss)).toBeLessThan(limits.loss)
  for (const [name, gradient] of Object.entries(expected.gradients)) {
    expect(relativeDifference(actual.gradients[name]!, gradient), name).toBeLessThan(limits.gradient)
  }
}

/** Shares of one batch, added up with their weights. */
const summed = async (
  run: (batch: TrainingBatch) => Promise<Step>,
  batch: TrainingBatch,
  size: number,
): Promise<Step> => {
  const count = batch.rows.length
  let loss = 0
  const gradients: Record<string, Float32Array> = {}
  for (let from = 0; from < count; from += size) {
    const share = part(batch, from, from + size)
    const weight = share.rows.length / count
    const step = await run(share)
    loss += weight * step.loss
    for (const [name, gradient] of Object.entries(step.gradients)) {
      gradients[name] = gradient.map((x, i) => (gradients[name]?.[i] ?? 0) + weight * x)
    }
  }
  return { loss, logits: new Float32Array(), gradients }
}

describe('a large batch, where sums over repeated rows would go wrong', () => {
  test.each(MODES)('%s: equal on one thread and two, and to the sum of its shares', async (mode) => {
    const config = smallConfig({ mode, width: 32, heads: 4, feedForward: 64 })
    const wide = smallLayout(58)
    const random = randomStream(13, mode)
    const weights = drawWeights(random, config, wide)
    // 160 observations of 65 slots, of which every slot is seen again and again.
    const batch = drawBatch(random, wide, config.labels, 160, mode === 'drop' ? 0.15 : 0.5)
    await using one = await openStepper(config, wide, 1)
    await using two = await openStepper(config, wide, 2)
    const packed = packTrainingBatch(config, wide, batch)
    const rows = mode === 'drop' ? packed.slot!.shape[0]! : packed.assemble!.shape.reduce((n, size) => n * size, 1)
    expect(rows).toBeGreaterThan(8000)
    const expected = await one.run(weights, batch)
    expectClose(await two.run(weights, batch), expected, { loss: 1e-6, gradient: 1e-6 })
    const shares = await summed((share) => two.run(weights, share), batch, 48)
    expectClose(shares, expected, { loss: 2e-6, gradient: 1e-5 })
  })
})

describe('dropout', () => {
  test.each(MODES)('%s: none leaves the graph as it is, without a node or an input more', (mode) => {
    const plain = trainingProgram(smallConfig({ mode }), layout)
    expect(plain.inputs.filter(({ name }) => name.startsWith('dropout'))).toEqual([])
    expect(plain.nodes.filter(({ op }) => ['BitShift', 'BitwiseXor', 'Less', 'Where'].includes(op))).toEqual([])
    expect(encodeProgram(trainingProgram(smallConfig({ mode, dropout: 0 }), layout))).toEqual(encodeProgram(plain))
  })

  test.each(MODES)('%s: depends on the step and the observation, and on nothing beside them', async (mode) => {
    const config = smallConfig({ mode, dropout: 0.4, width: 24, heads: 3 })
    const { weights, noise, batch } = draw(config, 21, 9, 0.5)
    await using stepper = await openStepper(config, layout)
    const whole = await stepper.run(weights, { ...batch, noise })
    expect(await stepper.run(weights, { ...batch, noise })).toEqual(whole)
    const other = await stepper.run(weights, { ...batch, noise: { ...noise, step: noise.step + 1 } })
    expect(other.loss).not.toBe(whole.loss)
    const shares = await summed(
      (share) => {
        const from = batch.rows.indexOf(share.rows[0]!)
        const observations = noise.observations.slice(from, from + share.rows.length)
        return stepper.run(weights, { ...share, noise: { ...noise, observations } })
      },
      batch,
      4,
    )
    expectClose(shares, whole, { loss: 2e-6, gradient: 1e-5 })
    await expect(async () => stepper.run(weights, batch)).rejects.toThrow('a number for each observation')
  })

  test('averages to the loss without any, to first order, when little is dropped', async () => {
    const { weights, noise, batch } = draw(smallConfig(), 22, 16, 0.3)
    await using plain = await openStepper(smallConfig(), layout)
    await using dropping = await openStepper(smallConfig({ dropout: 0.02 }), layout)
    const losses: number[] = []
    for (let step = 0; step < 200; step++)
      losses.push((await dropping.run(weights, { ...batch, noise: { ...noise, step } })).loss)
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / losses.length)
    const { loss } = await plain.run(weights, batch)
    expect(deviation).toBeGreaterThan(0)
    expect(Math.abs(mean - loss)).toBeLessThan(0.02 * loss)
  })
})

describe('values of hidden tokens are never seen', () => {
  test.each(MODES)('%s: whatever they are, equal bits', async (mode) => {
    const config = smallConfig({ mode })
    const { weights, batch } = draw(config, 14, 8, 0.6)
    await using stepper = await openStepper(config, layout, 2)
    const expected = await stepper.run(weights, batch)
    expect(expected.logits.every(Number.isFinite)).toBe(true)
    for (const value of [0, 1e30, Number.POSITIVE_INFINITY]) {
      const rows = batch.rows.map((row) => withHiddenFeatures(row, layout, value))
      expect(await stepper.run(weights, { ...batch, rows })).toEqual(expected)
    }
  })
})

describe('an observation has the same logits', () => {
  test.each(MODES)('%s: alone, in a batch, beside longer ones, in another order', async (mode) => {
    const config = smallConfig({ mode, width: 32, heads: 4 })
    const { random, weights, batch } = draw(config, 15, 10, 0.7)
    await using stepper = await openStepper(config, layout)
    const { logits } = await stepper.run(weights, batch)
    const [{ rows: more }, { labels }] = [drawBatch(random, layout, 4, 3, 0), config]
    const longer: TrainingBatch = {
      ...batch,
      rows: [...more, ...batch.rows.toReversed()],
      labels: new Float32Array((3 + 10) * labels),
    }
    const reversed = await stepper.run(weights, longer)
    for (let b = 0; b < 10; b++) {
      const own = logits.subarray(b * labels, (b + 1) * labels)
      const alone = await stepper.run(weights, part(batch, b, b + 1))
      expect(relativeDifference(alone.logits, own, 1)).toBeLessThan(1e-6)
      const place = (3 + 9 - b) * labels
      expect(relativeDifference(reversed.logits.subarray(place, place + labels), own, 1)).toBeLessThan(1e-6)
    }
  })
})

test('a batch of nothing but hidden tokens has a loss and finite gradients', async () => {
  for (const mode of MODES) {
    const config = smallConfig({ mode })
    const { weights, batch } = draw(config, 16, 3, 1)
    await using stepper = await openStepper(config, layout)
    const { loss, logits, gradients } = await stepper.run(weights, batch)
    expect(loss).toBeGreaterThan(0)
    expect(logits.subarray(0, 4)).toEqual(logits.subarray(4, 8))
    expect(Object.values(gradients).every((gradient) => gradient.every(Number.isFinite))).toBe(true)
    expect(gradients['embed.image.weight']!.every((x) => x === 0)).toBe(true)
  }
})
