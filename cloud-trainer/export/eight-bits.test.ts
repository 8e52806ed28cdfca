import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { runOnRuntime } from '#test/support/graph-run.ts'
import { EXAMPLE_SPECS } from '#test/support/model-bundle.ts'
import { array } from '../graph/array.ts'
import { gemm, relu } from '../graph/calls.ts'
import { addConstant, addInput, addOutput, createGraph } from '../graph/graph.ts'
import { type Program, toProgram } from '../graph/program.ts'
import { defaultModelConfig } from '../model/config.ts'
import { inferenceProgram } from '../model/inference-graph.ts'
import { initialWeights, parameterTable } from '../model/parameters.ts'
import { LARGEST_WHOLE, quantizeColumns, withEightBitLinears } from './eight-bits.ts'

const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) })

const matrix = fc
  .record({ rows: fc.integer({ min: 1, max: 9 }), columns: fc.integer({ min: 1, max: 7 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      weight: fc.array(finite, { minLength: rows * columns, maxLength: rows * columns }),
    }),
  )

/** Of the whole numbers at most half a step away, the even one where there are two: nothing is rounded here. */
const nearestEven = (x: number): number => {
  const candidates = [Math.floor(x), Math.floor(x) + 1].filter((n) => Math.abs(n - x) <= 0.5)
  return candidates.find((n) => n % 2 === 0) ?? candidates[0]!
}

describe('weights by column', () => {
  test('are the nearest whole numbers of steps, even ones half-way, and never beyond the limit (property)', () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, weight }) => {
        const { whole, scales } = quantizeColumns(Float64Array.from(weight), columns)
        for (let c = 0; c < columns; c++) {
          const column = Array.from({ length: rows }, (_, r) => weight[r * columns + c]!)
          const largest = column.reduce((most, w) => Math.max(most, Math.abs(w)), 0)
          const scale = Math.fround(largest / 64)
          expect(scales[c]).toBe(scale === 0 ? 1 : scale)
          for (const [r, w] of column.entries()) {
            const steps = nearestEven(w / scales[c]!)
            expect(whole[r * columns + c]! + 0).toBe(Math.max(-64, Math.min(64, steps)) + 0)
          }
        }
      }),
      { examples: [[{ rows: 4, columns: 1, weight: [64, 2.5, 3.5, -2.5] }]] },
    )
  })

  test('of the opposite sign are the opposite numbers (property)', () => {
    fc.assert(
      fc.property(matrix, ({ columns, weight }) => {
        const [plus, minus] = [1, -1].map((sign) =>
          quantizeColumns(
            Float64Array.from(weight, (w) => sign * w),
            columns,
          ),
        )
        expect(Array.from(minus!.whole, (n) => -n + 0)).toEqual(Array.from(plus!.whole, (n) => n + 0))
        expect(minus!.scales).toEqual(plus!.scales)
      }),
    )
  })

  test('lie at most half a step from what they stand for, and zeros stay zeros', () => {
    const random = randomStream(1, 'columns')
    const weight = Float64Array.from({ length: 64 * 5 }, (_, i) => (i % 5 === 3 ? 0 : random.normal() * 10 ** (i % 5)))
    const { whole, scales } = quantizeColumns(weight, 5)
    for (const [i, w] of weight.entries()) {
      expect(Math.abs(whole[i]! * scales[i % 5]! - w)).toBeLessThanOrEqual(scales[i % 5]! * 0.5000001)
    }
    expect([...new Set(whole.filter((_, i) => i % 5 === 3))]).toEqual([0])
  })
})

/** relu(x·W + b), so that the linear is no output of the program. */
const linearProgram = (weight: readonly number[], bias: readonly number[], rows: number): Program => {
  const graph = createGraph()
  const columns = bias.length
  const x = addInput(graph, 'x', 'float32', [rows, weight.length / columns])
  const w = addConstant(graph, 'float32', [weight.length / columns, columns], weight)
  addOutput(graph, 'y', relu(gemm(x, w, addConstant(graph, 'float32', [columns], bias))))
  return toProgram(graph)
}

/**
 * What the operators' documents say, by loops over plain numbers: DynamicQuantizeLinear of x (scale and zero point of all
 * elements, 8 bits without sign), exact products of whole numbers, one scale for each column.
 */
const byTheBook = (x: readonly number[], weight: readonly number[], bias: readonly number[]): number[] => {
  const f = Math.fround
  const columns = bias.length
  const inner = weight.length / columns
  const [low, high] = [Math.min(0, ...x), Math.max(0, ...x)]
  const scale = high === low ? 1 : f(f(high - low) / 255)
  const zero = Math.min(255, Math.max(0, nearestEven(f(-low / scale))))
  const steps = x.map((value) => BigInt(Math.min(255, Math.max(0, nearestEven(f(value / scale)) + zero)) - zero))
  const found: number[] = []
  for (let r = 0; r < x.length / inner; r++) {
    for (let c = 0; c < columns; c++) {
      let most = 0
      for (let k = 0; k < inner; k++) most = Math.max(most, Math.abs(weight[k * columns + c]!))
      const own = f(most / 64) || 1
      let sum = 0n
      for (let k = 0; k < inner; k++) {
        sum += steps[r * inner + k]! * BigInt(Math.max(-64, Math.min(64, nearestEven(weight[k * columns + c]! / own))))
      }
      found.push(Math.max(0, Number(sum) * f(scale * own) + bias[c]!))
    }
  }
  return found
}

const check = async (x: readonly number[], weight: readonly number[], bias: readonly number[]): Promise<void> => {
  const rows = x.length / (weight.length / bias.length)
  const program = withEightBitLinears(linearProgram(weight, bias, rows))
  expect(program.nodes.map(({ op }) => op)).toEqual(['DynamicQuantizeMatMul', 'Relu'])
  const { y } = await runOnRuntime(program, { x: array([rows, weight.length / bias.length], x) })
  const expected = byTheBook(x, weight, bias)
  const size = Math.max(1e-30, ...expected)
  for (const [i, value] of expected.entries()) expect(Math.abs(y!.data[i]! - value) / size).toBeLessThan(1e-6)
}

describe('ONNX Runtime computes in eight bits what the documents say', () => {
  const exact = (values: readonly number[]): number[] => values.map(Math.fround)

  test('for random numbers (property)', async () => {
    const small = fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(small, { minLength: 12, maxLength: 12 }),
        fc.array(small, { minLength: 8, maxLength: 8 }),
        fc.array(small, { minLength: 2, maxLength: 2 }),
        (x, weight, bias) => check(exact(x), exact(weight), exact(bias)),
      ),
      { numRuns: 60 },
    )
  })

  test('half-way between steps, from the lowest to the highest, on one side of zero and at zero', async () => {
    const weight = exact([0.5, -0.25, 1, 0.125, 0.25, 0.75, -1, 0.0625])
    await check([-127.5, 127.5, 2.5, 3.5], weight, [1, 0])
    await check([1, 2, 3, 255], weight, [0, 0])
    await check([-1, -2, -3, -255], weight, [0, 300])
    await check([0, 0, 0, 0], weight, [1, 2])
    await check([-0.5, 254.5, 10.5, 11.5], weight, [0, 0])
  })

  test('the largest products of the longest rows add up without saturation', async () => {
    // 4096 products of 255 and ±64: beyond 16 bits by far, within 32.
    for (const sign of [1, -1]) {
      const weight = Array.from({ length: 4096 }, (_, i) => (i === 0 ? 64 : sign * 64))
      await check(new Array<number>(4096).fill(255), weight, [7e7])
    }
  })
})

describe.each(['drop', 'replace'] as const)('a model in %s mode', (mode) => {
  const layout = layoutOf(EXAMPLE_SPECS)
  const config = { ...defaultModelConfig(3), width: 16, layers: 2, heads: 2, feedForward: 32, frequencies: 4, mode }
  const weights = initialWeights(parameterTable(config, layout), config, layout, randomStream(1, 'eight bits'))
  const before = inferenceProgram(config, layout, weights)
  const after = withEightBitLinears(before)
  const count = (program: Program, op: string) => program.nodes.filter((node) => node.op === op).length

  test('has all linears of its blocks in eight bits, and its head as it was', () => {
    // Four in each block; where one row is read, the last block's queries are apart.
    expect(count(after, 'DynamicQuantizeMatMul')).toBe(mode === 'drop' ? 9 : 8)
    expect(count(before, 'Gemm') - count(after, 'Gemm')).toBe(count(after, 'DynamicQuantizeMatMul'))
    expect(count(after, 'Gemm')).toBe(1)
    expect(after.outputs).toBe(before.outputs)
    expect(after.inputs).toBe(before.inputs)
    const whole = after.nodes.filter(({ op }) => op === 'DynamicQuantizeMatMul').map(({ inputs: [, w] }) => w!)
    for (const { type, constant } of whole) {
      expect(type).toBe('int8')
      expect(constant!.every((n) => Number.isInteger(n) && Math.abs(n) <= LARGEST_WHOLE)).toBe(true)
    }
  })
})
