/** Builds programs of single operators and layers, and runs them in float64 and on ONNX Runtime. */
import { array, type NdArray, sizeOf } from '#cloud/graph/array.ts'
import { backward } from '#cloud/graph/backward.ts'
import { multiply, reshape, sum } from '#cloud/graph/calls.ts'
import {
  addInput,
  addOutput,
  addParameter,
  createGraph,
  type Graph,
  numbersOf,
  type Tensor,
} from '#cloud/graph/graph.ts'
import { interpret } from '#cloud/graph/interpret.ts'
import { encodeProgram } from '#cloud/graph/onnx-file.ts'
import { neededNodes, type Program, toProgram } from '#cloud/graph/program.ts'
import type { Shape } from '#cloud/graph/shape.ts'
import { openSession, type TensorData } from '#shared/platform/ort.ts'
import type { Random } from '#shared/std/random.ts'

/** An input of a graph with its value. */
export type Operand = {
  readonly type: 'float32' | 'int32' | 'uint32'
  readonly shape: Shape
  readonly value: NdArray
  /** Whether its gradient is asked for. */
  readonly parameter: boolean
}

export type Arrays = Readonly<Record<string, NdArray>>

export type Make = (inputs: readonly Tensor[]) => Tensor

/** A parameter of uniform numbers, each of which float32 holds exactly. */
export const floats = (random: Random, shape: readonly number[], least = -1.5, most = 1.5): Operand => ({
  type: 'float32',
  shape,
  parameter: true,
  value: array(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => least + (most - least) * random.uniform()),
  ),
})

/** The same as data: without a gradient, and with symbols for axes where `shape` has them. */
export const data = (operand: Operand, shape: Shape = operand.shape): Operand => ({
  ...operand,
  shape,
  parameter: false,
})

export const indices = (values: readonly number[], shape: readonly number[] = [values.length]): Operand => ({
  type: 'int32',
  shape,
  value: array(shape, values),
  parameter: false,
})

/** uint32. */
export const bits = (values: readonly number[], shape: readonly number[] = [values.length]): Operand => ({
  ...indices(values, shape),
  type: 'uint32',
})

const addOperand = (graph: Graph, { type, shape, parameter }: Operand, i: number): Tensor =>
  parameter ? addParameter(graph, `p${i}`, numbersOf(shape)) : addInput(graph, `p${i}`, type, shape)

/** Operand i is the input `p<i>`. */
export const feedsOf = (operands: readonly Operand[]): Arrays =>
  Object.fromEntries(operands.map(({ value }, i) => [`p${i}`, value]))

/** A program whose outputs are `y0`, `y1`, …; what `make` returns. */
export const programOf = (
  operands: readonly Operand[],
  make: (inputs: readonly Tensor[]) => readonly Tensor[],
): Program => {
  const graph = createGraph()
  const outputs = make(operands.map((operand, i) => addOperand(graph, operand, i)))
  for (const [i, tensor] of outputs.entries()) addOutput(graph, `y${i}`, tensor)
  return toProgram(graph)
}

export type Differentiated = { readonly program: Program; readonly feeds: Arrays }

/**
 * A program of `loss`, the sum of the result's elements times random weights, and of its gradient `d.p<i>`
 * for each operand that is a parameter.
 */
export const differentiate = (operands: readonly Operand[], make: Make, random: Random): Differentiated => {
  const feeds = feedsOf(operands)
  const { y0 } = interpret(
    programOf(operands, (inputs) => [make(inputs)]),
    feeds,
  )
  const weights = floats(random, y0!.shape).value
  const graph = createGraph()
  const tensors = operands.map((operand, i) => addOperand(graph, operand, i))
  const y = make(tensors)
  const terms = multiply(y, addInput(graph, 'weights', 'float32', y.shape))
  const loss = reshape(
    sum(
      terms,
      y.shape.map((_, axis) => axis),
    ),
    [],
  )
  addOutput(graph, 'loss', loss)
  const asked = tensors.filter((_, i) => operands[i]!.parameter)
  for (const [i, gradient] of backward(loss, asked).entries()) {
    // Times 1, because two sums of equal shape have one gradient, and a file can't give it two names.
    addOutput(graph, `d.${asked[i]!.name}`, multiply(gradient, 1))
  }
  return { program: toProgram(graph), feeds: { ...feeds, weights } }
}

const typed = (type: string, { data }: NdArray): TensorData => {
  if (type === 'uint32') return Uint32Array.from(data)
  return type === 'int32' ? Int32Array.from(data) : Float32Array.from(data)
}

/** The outputs as ONNX Runtime computes them. Inputs are float32, int32 or uint32. */
export const runOnRuntime = async (program: Program, feeds: Arrays, threads = 1): Promise<Arrays> => {
  const session = await openSession(encodeProgram(program), { threads })
  const fed = program.inputs.map(({ name, type }) => {
    const value = feeds[name]!
    return [name, { data: typed(type, value), shape: value.shape }] as const
  })
  const results = await session.run(Object.fromEntries(fed))
  await session.close()
  return Object.fromEntries(Object.entries(results).map(([name, { data, shape }]) => [name, array(shape, data)]))
}

/** Largest difference, as a share of the largest magnitude in `expected` (at least `floor`). */
export const relativeDifference = (
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  floor = Number.MIN_VALUE,
): number => {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let largest = floor
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    const apart = Math.abs(actual[i]! - expected[i]!)
    // NaN never counts as equal.
    difference = apart <= difference ? difference : apart
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY
  }
  return difference / largest
}

/** Central differences of `loss` by every element of `input`, step by step. */
export const centralDifferences = (program: Program, feeds: Arrays, input: string, step = 1e-5): Float64Array => {
  const { shape, data: values } = feeds[input]!
  const forward: Program = lossOnly(program)
  const lossAt = (i: number, change: number): number => {
    const moved = values.slice()
    moved[i] = moved[i]! + change
    return interpret(forward, { ...feeds, [input]: { shape, data: moved } }).loss!.data[0]!
  }
  return values.map((_, i) => (lossAt(i, step) - lossAt(i, -step)) / (2 * step))
}

const lossOnly = (program: Program): Program => {
  const outputs = new Map([['loss', program.outputs.get('loss')!]])
  return { ...program, outputs, nodes: neededNodes(program.nodes, outputs) }
}
