/**
 * The encoder's linears in eight bits: weights are rounded once, here, with a scale for each column; what they multiply is
 * rounded as it comes, with one scale for all rows of a run (DynamicQuantizeMatMul). Embeddings, norms, attention's own
 * products and the head compute in float32.
 */
import { flagOf, numberOf } from '../graph/attributes.ts'
import { dynamicQuantizeMatMul } from '../graph/calls.ts'
import { addConstant, type Node, type Numbers, numbersOf, type Tensor } from '../graph/graph.ts'
import type { Program } from '../graph/program.ts'
import { roundHalfEven } from '../graph/round.ts'

/**
 * Largest magnitude of a rounded weight. Not 127: on x64 without VNNI, ONNX Runtime adds two products of a uint8 and an
 * int8 in 16 bits that saturate (its documentation of quantization, "reduce_range"), and 2 · 255 · 127 doesn't fit.
 * 2 · 255 · 64 does, so that every processor finds the same whole numbers.
 */
export const LARGEST_WHOLE = 64

type QuantizedColumns = {
  /** [rows × columns], whole numbers. */
  readonly whole: Float64Array
  /** [columns]; a weight is about whole × scale. */
  readonly scales: Float64Array
}

/** Symmetric, each column by its largest magnitude. weight: [rows × columns], row-major. */
export const quantizeColumns = (weight: Numbers, columns: number): QuantizedColumns => {
  const most = new Float64Array(columns)
  for (const [i, w] of weight.entries()) most[i % columns] = Math.max(most[i % columns]!, Math.abs(w))
  // A column of zeros may have any scale.
  const scales = most.map((largest) => Math.fround(largest / LARGEST_WHOLE) || 1)
  const limited = (steps: number): number => Math.min(LARGEST_WHOLE, Math.max(-LARGEST_WHOLE, steps))
  return { whole: Float64Array.from(weight, (w, i) => limited(roundHalfEven(w / scales[i % columns]!))), scales }
}

/** x·W + b of constants, in two dimensions. */
const isLinear = ({ op, inputs: [, weight, bias], attributes }: Node): boolean =>
  op === 'Gemm' &&
  weight?.constant !== undefined &&
  bias?.constant !== undefined &&
  bias.shape.length === 1 &&
  bias.shape[0] === weight.shape[1] &&
  !flagOf(attributes, 'transA') &&
  !flagOf(attributes, 'transB') &&
  numberOf(attributes, 'alpha', 1) === 1 &&
  numberOf(attributes, 'beta', 1) === 1

const inEightBits = (node: Node): Node => {
  const [x, weight, bias] = node.inputs as readonly [Tensor, Tensor, Tensor]
  const { graph } = weight
  const [rows, columns] = numbersOf(weight.shape)
  const { whole, scales } = quantizeColumns(weight.constant!, columns!)
  dynamicQuantizeMatMul(
    x,
    addConstant(graph, 'int8', [rows!, columns!], whole),
    addConstant(graph, 'float32', [columns!], scales),
    bias,
  )
  // It computes what the node computed, and takes its place.
  return { ...graph.nodes.at(-1)!, outputs: node.outputs, path: node.path }
}

/** The head, whose result leaves the program, stays. */
export const withEightBitLinears = (program: Program): Program => {
  const leaving = new Set(program.outputs.values())
  const isInner = ({ outputs }: Node): boolean => !outputs.some((output) => leaving.has(output))
  return {
    ...program,
    nodes: program.nodes.map((node) => (isLinear(node) && isInner(node) ? inEightBits(node) : node)),
  }
}
