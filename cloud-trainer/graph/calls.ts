/** The operators as functions on tensors. */
import { type Attributes, flag, float, int, ints, text } from './attributes.ts'
import { addConstant, emit, type Graph, numbersOf, type Tensor } from './graph.ts'
import { TYPE_CODES } from './ops/indices.ts'
import { type Dim, type Shape, sameShape } from './shape.ts'
import type { ElementType, OpName } from './types.ts'

const one = (op: OpName, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor =>
  emit(op, inputs, attributes)[0]!

/** A float constant without axes. */
export const scalar = (graph: Graph, value: number): Tensor => addConstant(graph, 'float32', [], [value])

export const sizes = (graph: Graph, values: readonly number[]): Tensor =>
  addConstant(graph, 'int64', [values.length], values)

const operand = (like: Tensor, value: Tensor | number): Tensor =>
  typeof value === 'number' ? addConstant(like.graph, like.type, [], [value]) : value

export const add = (a: Tensor, b: Tensor | number): Tensor => one('Add', [a, operand(a, b)])
export const subtract = (a: Tensor, b: Tensor | number): Tensor => one('Sub', [a, operand(a, b)])
export const multiply = (a: Tensor, b: Tensor | number): Tensor => one('Mul', [a, operand(a, b)])
export const divide = (a: Tensor, b: Tensor | number): Tensor => one('Div', [a, operand(a, b)])
export const equal = (a: Tensor, b: Tensor | number): Tensor => one('Equal', [a, operand(a, b)])
export const less = (a: Tensor, b: Tensor | number): Tensor => one('Less', [a, operand(a, b)])
/** Bits of uint32, moved towards the lowest; what moves out is gone. */
export const shiftRight = (x: Tensor, bits: number): Tensor =>
  one('BitShift', [x, operand(x, bits)], { direction: text('RIGHT') })
/** Of uint32. */
export const xor = (a: Tensor, b: Tensor | number): Tensor => one('BitwiseXor', [a, operand(a, b)])
export const where = (condition: Tensor, yes: Tensor, no: Tensor): Tensor => one('Where', [condition, yes, no])

export const negate = (x: Tensor): Tensor => one('Neg', [x])
export const exp = (x: Tensor): Tensor => one('Exp', [x])
export const erf = (x: Tensor): Tensor => one('Erf', [x])
export const squareRoot = (x: Tensor): Tensor => one('Sqrt', [x])
export const relu = (x: Tensor): Tensor => one('Relu', [x])
export const sign = (x: Tensor): Tensor => one('Sign', [x])
export const gelu = (x: Tensor): Tensor => one('Gelu', [x])
export const sigmoid = (x: Tensor): Tensor => one('Sigmoid', [x])
export const softplus = (x: Tensor): Tensor => one('Softplus', [x])
export const sine = (x: Tensor): Tensor => one('Sin', [x])
export const cosine = (x: Tensor): Tensor => one('Cos', [x])

/** Over the last axis. */
export const softmax = (x: Tensor): Tensor => one('Softmax', [x], { axis: int(-1) })
export const logSoftmax = (x: Tensor): Tensor => one('LogSoftmax', [x], { axis: int(-1) })

/** Rows, their means, and 1/√(variance + ε); all from one node. */
export const layerNormalization = (
  x: Tensor,
  scale: Tensor,
  shift: Tensor | null,
  epsilon: number,
): readonly [Tensor, Tensor, Tensor] => {
  const inputs = shift ? [x, scale, shift] : [x, scale]
  const [y, mean, inverse] = emit('LayerNormalization', inputs, { axis: int(-1), epsilon: float(epsilon) })
  return [y!, mean!, inverse!]
}

const reduction =
  (op: 'ReduceSum' | 'ReduceMean') =>
  (x: Tensor, axes: readonly number[], { keep = true } = {}): Tensor =>
    one(op, [x, sizes(x.graph, axes)], { keepdims: flag(keep) })

export const sum = reduction('ReduceSum')
export const mean = reduction('ReduceMean')

type ProductOptions = { readonly transA?: boolean; readonly transB?: boolean; readonly alpha?: number }

const productAttributes = ({ transA, transB, alpha = 1 }: ProductOptions): Attributes => ({
  transA: flag(transA),
  transB: flag(transB),
  alpha: float(alpha),
})

/** α · op(a) · op(b) + c, in two dimensions; c stretches. */
export const gemm = (a: Tensor, b: Tensor, c: Tensor | null = null, options: ProductOptions = {}): Tensor =>
  one('Gemm', c ? [a, b, c] : [a, b], productAttributes(options))

export const matMul = (a: Tensor, b: Tensor): Tensor => one('MatMul', [a, b])

/** α · op(a) · op(b) over the last two axes. */
export const fusedMatMul = (a: Tensor, b: Tensor, options: ProductOptions): Tensor =>
  one('FusedMatMul', [a, b], productAttributes(options))

/**
 * x·W + b in eight bits, of x [N, in] with scale and zero point of its own; W [in, out] int8 = round(weight / scale),
 * `scales` and `bias` [out].
 */
export const dynamicQuantizeMatMul = (x: Tensor, weight: Tensor, scales: Tensor, bias: Tensor): Tensor =>
  one('DynamicQuantizeMatMul', [x, weight, scales, zeros(weight), bias])

/** The zero points of a symmetric weight. */
const zeros = ({ graph, shape }: Tensor): Tensor => {
  const [columns] = numbersOf(shape.slice(-1))
  return addConstant(graph, 'int8', [columns!], new Array<number>(columns!).fill(0))
}

export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  one('Transpose', [x], { perm: ints(permutation) })

/**
 * The same elements under another shape. Symbols that keep their place are copied and one more may be
 * inferred, so that the target is a constant.
 */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x
  const target = shape.map((dim: Dim, i) => (typeof dim === 'number' ? dim : dim === x.shape[i] ? 0 : -1))
  return one('Reshape', [x, sizes(x.graph, target)])
}

/** The same under a shape that is computed, as an int64 vector. */
export const reshapeTo = (x: Tensor, shape: Tensor): Tensor => one('Reshape', [x, shape])

export const squeeze = (x: Tensor, axes: readonly number[]): Tensor => one('Squeeze', [x, sizes(x.graph, axes)])
export const unsqueeze = (x: Tensor, axes: readonly number[]): Tensor => one('Unsqueeze', [x, sizes(x.graph, axes)])

/** Stretched to a shape given as an int64 vector. */
export const expand = (x: Tensor, shape: Tensor): Tensor => one('Expand', [x, shape])

export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor =>
  one('Slice', [x, ...[start, end, axis].map((place) => sizes(x.graph, [place]))])

export const split = (x: Tensor, axis: number, parts: readonly number[]): readonly Tensor[] =>
  emit('Split', [x, sizes(x.graph, parts)], { axis: int(axis) })

export const concat = (parts: readonly Tensor[], axis: number): Tensor =>
  parts.length === 1 ? parts[0]! : one('Concat', parts, { axis: int(axis) })

export const gather = (x: Tensor, index: Tensor, axis = 0): Tensor => one('Gather', [x, index], { axis: int(axis) })

/** The sizes of the axes from `start` up to `end`, as an int64 vector. */
export const shapeOf = (x: Tensor, start = 0, end = x.shape.length): Tensor =>
  one('Shape', [x], { start: int(start), end: int(end) })

export const sizeOf = (x: Tensor): Tensor => one('Size', [x])
export const cast = (x: Tensor, type: ElementType): Tensor => one('Cast', [x], { to: int(TYPE_CODES[type]) })

/** A float tensor of one value, whose shape is an int64 vector. */
export const filled = (shape: Tensor, value: number): Tensor =>
  one('ConstantOfShape', [shape], { value: { kind: 'tensor', type: 'float32', value } })

/** [n] indices → [n, depth], 1 at the index and 0 elsewhere. */
export const oneHot = (index: Tensor, depth: number): Tensor =>
  one(
    'OneHot',
    [index, addConstant(index.graph, index.type, [1], [depth]), addConstant(index.graph, 'float32', [2], [0, 1])],
    { axis: int(-1) },
  )

/**
 * [1, n] ones, as many as x has rows: ones · x sums columns faster than a reduction does. Equal symbols
 * are equal numbers of rows, so a graph makes each such row once.
 */
export const onesFor = (x: Tensor): Tensor => {
  const { ones } = x.graph
  const axis = x.shape.length - 2
  const count = x.shape[axis]!
  const row = ones.get(count) ?? filled(concat([sizes(x.graph, [1]), shapeOf(x, axis, axis + 1)], 0), 1)
  ones.set(count, row)
  return row
}
