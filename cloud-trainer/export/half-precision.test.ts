import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { runOnRuntime } from '#test/support/graph-run.ts'
import { array } from '../graph/array.ts'
import { add, matMul } from '../graph/calls.ts'
import { addConstant, addInput, addOutput, createGraph } from '../graph/graph.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { constantsOf, type Program, toProgram } from '../graph/program.ts'
import { withHalfWeights } from './half-precision.ts'

const SIZE = 256

/** x · W + W, which reads the constant twice. */
const programOf = (weight: ArrayLike<number>): Program => {
  const graph = createGraph()
  const w = addConstant(graph, 'float32', [16, SIZE / 16], weight)
  addOutput(graph, 'y', add(matMul(addInput(graph, 'x', 'float32', [16, 16]), w), w))
  return toProgram(graph)
}

/** Times zero, plus the weight: what the runtime makes of it. */
const weightsOf = async (program: Program): Promise<Float64Array> =>
  (await runOnRuntime(program, { x: array([16, 16], new Float64Array(SIZE)) })).y!.data

/** Of all finite numbers of 16 bits (IEEE 754 binary16), by their definition. */
const HALVES = Array.from({ length: 0x7c00 }, (_, bits) => {
  const [exponent, fraction] = [bits >> 10, bits & 0x3ff]
  return exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
})

const nearestHalf = (x: number): number => {
  let [low, high] = [0, HALVES.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (HALVES[middle]! <= Math.abs(x)) low = middle
    else high = middle
  }
  const [below, above] = [Math.abs(x) - HALVES[low]!, HALVES[high]! - Math.abs(x)]
  // Half-way, the one whose last bit is 0.
  const nearest = below < above || (below === above && low % 2 === 0) ? low : high
  return Math.sign(x) * HALVES[nearest]!
}

test('weights are the nearest numbers of 16 bits when the runtime has them (property)', async () => {
  const weight = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true, min: -65504, max: 65504 }),
    fc.float({ noNaN: true, min: -1, max: 1 }),
    fc.float({ noNaN: true, min: Math.fround(-1e-7), max: Math.fround(1e-7) }),
    fc.integer({ min: 0, max: HALVES.length - 2 }).map((i) => Math.fround((HALVES[i]! + HALVES[i + 1]!) / 2)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(weight, { minLength: SIZE, maxLength: SIZE }), async (weights) => {
      const found = await weightsOf(withHalfWeights(programOf(weights)))
      for (const [i, w] of weights.entries()) expect(found[i]! + 0).toBe(nearestHalf(w) + 0)
    }),
    { numRuns: 40 },
  )
})

test('a constant is stored once in half the bytes, and one with a number beyond 16 bits as it is', async () => {
  const random = randomStream(1, 'halves')
  const weights = Float64Array.from({ length: SIZE }, () => Math.fround(random.normal()))
  const [whole, half] = [programOf(weights), withHalfWeights(programOf(weights))]
  expect(half.nodes.map(({ op }) => op)).toEqual(['Cast', 'MatMul', 'Add'])
  expect(constantsOf(half).map(({ type }) => type)).toEqual(['float16'])
  const saved = encodeProgram(whole).length - encodeProgram(half).length
  expect(saved).toBeGreaterThan(2 * SIZE - 150)
  const large = withHalfWeights(programOf(weights.with(7, 65_505)))
  expect(large.nodes.map(({ op }) => op)).toEqual(['MatMul', 'Add'])
  expect((await weightsOf(large))[7]).toBe(65_505)
})

test('what is computed is what float32 computes with the rounded weights, bit for bit', async () => {
  const random = randomStream(2, 'halves')
  const weights = Float64Array.from({ length: SIZE }, () => Math.fround(random.normal()))
  const x = { data: Float32Array.from({ length: SIZE }, () => random.normal()), shape: [16, 16] }
  const run = async (program: Program): Promise<Float32Array> => {
    const session = await openSession(encodeProgram(program))
    const { y } = await session.run({ x })
    await session.close()
    return y!.data
  }
  expect(await run(withHalfWeights(programOf(weights)))).toEqual(await run(programOf(weights.map(nearestHalf))))
})
