/** Uses of every operator of the closed set: what rules and the runtime are tried on. */
import { array } from '#cloud/graph/array.ts'
import { flag, float } from '#cloud/graph/attributes.ts'
import * as calls from '#cloud/graph/calls.ts'
import { addConstant, emit, type Tensor } from '#cloud/graph/graph.ts'
import type { OpName } from '#cloud/graph/types.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import { bits, data, floats, indices, type Operand } from './graph-run.ts'

export type OpCase = {
  readonly name: string
  readonly operands: readonly Operand[]
  /** Float results. Only the first is differentiated. */
  readonly make: (inputs: readonly Tensor[]) => readonly Tensor[]
}

type Call = (...inputs: readonly Tensor[]) => Tensor

const unary = (call: (x: Tensor) => Tensor, least?: number, most?: number) => (random: Random) => [
  { name: 'matrix', operands: [floats(random, [3, 5], least, most)], make: ([x]: readonly Tensor[]) => [call(x!)] },
]

/** Every way in which one operand stretches to another. */
const PAIRS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[2, 3], []],
  [
    [1, 3],
    [2, 3],
  ],
  [
    [4, 2, 3],
    [2, 3],
  ],
]

const binary = (call: (a: Tensor, b: Tensor) => Tensor, least?: number, most?: number) => (random: Random) =>
  PAIRS.map(([a, b]) => ({
    name: `[${a}] and [${b}]`,
    operands: [floats(random, a, least, most), floats(random, b, least, most)],
    make: ([x, y]: readonly Tensor[]) => [call(x!, y!)],
  }))

const comparison = (call: (a: Tensor, b: Tensor) => Tensor) => (random: Random) => [
  {
    name: 'stretched',
    operands: [data(indices([3, 1, 2, 3, 2, 1], [2, 3])), indices([3, 2, 2])],
    make: ([a, b]: readonly Tensor[]) => [calls.cast(call(a!, b!), 'float32')],
  },
  {
    name: 'floats',
    operands: [floats(random, [2, 3]), floats(random, [3])].map((operand) => data(operand)),
    make: ([a, b]: readonly Tensor[]) => [calls.cast(call(a!, b!), 'float32')],
  },
]

const one = (name: string, operands: readonly Operand[], call: Call): OpCase => ({
  name,
  operands,
  make: (inputs) => [call(...inputs)],
})

const TRANSPOSITIONS = [
  { transA: false, transB: false },
  { transA: true, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: true },
]

const product = (random: Random, rows: number, columns: number, swap: boolean, lead: readonly number[] = []) =>
  floats(random, [...lead, ...(swap ? [columns, rows] : [rows, columns])])

const gemmCases = (random: Random): OpCase[] => [
  ...TRANSPOSITIONS.map((options) =>
    one(
      `${JSON.stringify(options)} with α`,
      [product(random, 3, 4, options.transA), product(random, 4, 2, options.transB)],
      (a, b) => calls.gemm(a!, b!, null, { ...options, alpha: 0.7 }),
    ),
  ),
  ...[[3, 2], [2], [3, 1], [1, 2], []].map((shape) =>
    one(
      `plus β times [${shape}]`,
      [floats(random, [3, 4]), floats(random, [4, 2]), floats(random, shape)],
      (a, b, c) => emit('Gemm', [a!, b!, c!], { beta: float(0.3), transA: flag(false) })[0]!,
    ),
  ),
]

const fusedCases = (random: Random): OpCase[] => [
  ...TRANSPOSITIONS.map((options) =>
    one(
      JSON.stringify(options),
      [product(random, 3, 4, options.transA, [2, 2]), product(random, 4, 2, options.transB, [2, 2])],
      (a, b) => calls.fusedMatMul(a!, b!, { ...options, alpha: 1.3 }),
    ),
  ),
]

const rows = (random: Random): readonly Operand[] => [floats(random, [3, 2, 5])]

const reduction = (call: typeof calls.sum) => (random: Random) => [
  one('over the last axis', rows(random), (x) => call(x!, [-1])),
  one('over two axes, dropped', rows(random), (x) => call(x!, [0, 2], { keep: false })),
  one('over all', rows(random), (x) => call(x!, [0, 1, 2])),
]

const asFloat = (x: Tensor): Tensor => calls.cast(x, 'float32')

/** The high and the low half of each uint32, which float32 holds exactly. */
const halves = (x: Tensor): Tensor => {
  const high = (value: Tensor): Tensor => asFloat(calls.shiftRight(value, 16))
  return calls.concat([high(x), high(calls.multiply(x, 2 ** 16))], 0)
}

const gatherCases = (random: Random): OpCase[] => [
  one('rows, repeated', [floats(random, [4, 3]), indices([2, 0, 2, 2, 1], [5])], (x, index) =>
    calls.gather(x!, index!),
  ),
  one('rows of a view', [floats(random, [4, 3]), indices([3, 3, 0, 1, 2, 3], [2, 3])], (x, index) =>
    calls.gather(x!, index!),
  ),
  one('blocks', [floats(random, [3, 2, 2]), indices([1, 1])], (x, index) => calls.gather(x!, index!)),
  one('twice, which adds up', [floats(random, [3, 2]), indices([0, 2])], (x, index) =>
    calls.add(calls.gather(x!, index!), calls.gather(x!, index!)),
  ),
]

/** Scale 1, zero point 128 (−127.5 goes to the even −128); the others lie half-way, too. */
const HALF_WAY = [-127.5, 127.5, 2.5, 3.5]

const eightBits = (x: Tensor): Tensor => {
  const weight = Array.from({ length: 12 }, (_, i) => ((i * 37) % 255) - 127)
  const floating = (numbers: readonly number[]): Tensor => addConstant(x.graph, 'float32', [3], numbers)
  return calls.dynamicQuantizeMatMul(
    x,
    addConstant(x.graph, 'int8', [4, 3], weight),
    floating([0.01, 0.5, 0.003]),
    floating([0, -1, 2]),
  )
}

const CASES: Readonly<Record<OpName, (random: Random) => readonly OpCase[]>> = {
  Gemm: gemmCases,
  MatMul: (random) => [
    one('matrices', [floats(random, [3, 4]), floats(random, [4, 2])], (a, b) => calls.matMul(a!, b!)),
    one('a stack and a matrix', [floats(random, [2, 3, 4]), floats(random, [4, 2])], (a, b) => calls.matMul(a!, b!)),
    one('stacks', [floats(random, [2, 3, 4]), floats(random, [2, 4, 2])], (a, b) => calls.matMul(a!, b!)),
    one('one matrix and a stack', [floats(random, [3, 4]), floats(random, [2, 4, 2])], (a, b) => calls.matMul(a!, b!)),
  ],
  FusedMatMul: fusedCases,
  DynamicQuantizeMatMul: (random) => [
    one('both signs', [data(floats(random, [5, 4]))], (x) => eightBits(x!)),
    one('positive alone, and a stack', [data(floats(random, [2, 3, 4], 0.1, 2))], (x) => eightBits(x!)),
    one('half-way between two steps', [data({ ...floats(random, [1, 4]), value: array([1, 4], HALF_WAY) })], (x) =>
      eightBits(x!),
    ),
    one('nothing but zeros', [data(floats(random, [3, 4], 0, 0))], (x) => eightBits(x!)),
  ],
  Add: binary(calls.add),
  Sub: binary(calls.subtract),
  Mul: (random) => [
    ...binary(calls.multiply)(random),
    one('of uint32, wrapping around', [bits([2 ** 31 + 1, 0x7feb352d, 3], [3, 1]), bits([0x846ca68b, 2])], (a, b) =>
      halves(calls.multiply(a!, b!)),
    ),
  ],
  Div: binary(calls.divide, 0.5, 2),
  Neg: unary(calls.negate),
  Exp: unary(calls.exp),
  Erf: unary(calls.erf, -3, 3),
  Sqrt: unary(calls.squareRoot, 0.2, 2),
  Relu: unary(calls.relu),
  Sign: unary((x) => calls.sign(x)),
  Gelu: unary(calls.gelu, -3, 3),
  Sigmoid: unary(calls.sigmoid, -5, 5),
  Softplus: unary(calls.softplus, -5, 5),
  Sin: unary(calls.sine, -4, 4),
  Cos: unary(calls.cosine, -4, 4),
  Where: (random) => [
    one(
      'chosen, with stretching',
      [data(floats(random, [2, 3])), floats(random, [3]), floats(random, [2, 3])],
      (choice, yes, no) => calls.where(calls.less(choice!, 0), yes!, no!),
    ),
  ],
  Softmax: (random) => [one('rows', rows(random), (x) => calls.softmax(x!))],
  LogSoftmax: (random) => [one('rows', rows(random), (x) => calls.logSoftmax(x!))],
  LayerNormalization: (random) => [
    {
      name: 'with scale and shift, and its statistics',
      operands: [floats(random, [2, 3, 6]), floats(random, [6]), floats(random, [6])],
      make: ([x, scale, shift]) => calls.layerNormalization(x!, scale!, shift!, 1e-5),
    },
    {
      name: 'with scale and a large ε',
      operands: [floats(random, [4, 6]), floats(random, [6])],
      make: ([x, scale]) => calls.layerNormalization(x!, scale!, null, 0.3),
    },
  ],
  ReduceSum: reduction(calls.sum),
  ReduceMean: reduction(calls.mean),
  Transpose: (random) => [one('three axes', rows(random), (x) => calls.transpose(x!, [2, 0, 1]))],
  Reshape: (random) => [
    one('to two axes', rows(random), (x) => calls.reshape(x!, [6, 5])),
    one('to a computed shape', [...rows(random), data(floats(random, [5, 6]))], (x, like) =>
      calls.reshapeTo(x!, calls.shapeOf(like!)),
    ),
  ],
  Slice: (random) => [
    one('inside', rows(random), (x) => calls.slice(x!, 2, 1, 4)),
    one('from an end, beyond the other', rows(random), (x) => calls.slice(x!, -1, -2, 99)),
    one('of the first axis', rows(random), (x) => calls.slice(x!, 0, 0, 2)),
  ],
  Split: (random) => [
    {
      name: 'into unequal parts',
      operands: rows(random),
      make: ([x]) => {
        const [first, , last] = calls.split(x!, 2, [1, 2, 2])
        return [calls.multiply(first!, last!), last!]
      },
    },
  ],
  Concat: (random) => [
    one('along the middle', [floats(random, [2, 1, 3]), floats(random, [2, 2, 3])], (a, b) =>
      calls.concat([a!, b!], 1),
    ),
    one('the same twice', [floats(random, [2, 3])], (a) => calls.concat([a!, a!], 0)),
  ],
  Squeeze: (random) => [one('two axes', [floats(random, [1, 3, 1])], (x) => calls.squeeze(x!, [0, -1]))],
  Unsqueeze: (random) => [one('two axes', [floats(random, [3])], (x) => calls.unsqueeze(x!, [0, -1]))],
  Expand: (random) => [
    one('to a computed shape', [floats(random, [1, 3]), floats(random, [4, 2, 3])], (x, like) =>
      calls.multiply(calls.expand(x!, calls.shapeOf(like!)), like!),
    ),
  ],
  Gather: gatherCases,
  Shape: (random) => [
    one('a part', [data(floats(random, [4, 2, 3]), ['N', 2, 'K'])], (x) => asFloat(calls.shapeOf(x!, 1, 3))),
  ],
  Size: (random) => [one('of a view', [data(floats(random, [4, 3]), ['N', 3])], (x) => asFloat(calls.sizeOf(x!)))],
  Cast: (random) => [
    one('to integers and back', [data(floats(random, [7], -9, 9))], (x) =>
      asFloat(calls.cast(calls.cast(x!, 'int32'), 'int64')),
    ),
    one('to truth', [indices([0, 2, -1])], (x) => asFloat(calls.cast(x!, 'bool'))),
    one('of bits', [bits([2 ** 31, 5])], (x) => asFloat(x!)),
    one('of floats to floats', [floats(random, [3])], (x) => asFloat(x!)),
    one('to half precision and back', [data(floats(random, [9], -9, 9))], (x) => asFloat(calls.cast(x!, 'float16'))),
  ],
  ConstantOfShape: (random) => [
    one('like another', [data(floats(random, [4, 3]), ['N', 3])], (x) => calls.filled(calls.shapeOf(x!), 2.5)),
  ],
  OneHot: () => [one('some outside', [indices([2, 0, 3, 1])], (index) => calls.oneHot(index!, 3))],
  Equal: comparison(calls.equal),
  Less: (random) => [
    ...comparison(calls.less)(random),
    one('of uint32', [bits([2 ** 32 - 1, 5, 2 ** 31]), bits([2 ** 31])], (a, b) => asFloat(calls.less(a!, b!))),
  ],
  BitShift: () => [
    one('to the right', [bits([2 ** 32 - 1, 2 ** 31, 77, 0], [4])], (x) => halves(calls.shiftRight(x!, 5))),
  ],
  BitwiseXor: () => [
    one('stretched', [bits([2 ** 32 - 1, 12345, 2 ** 31, 6], [2, 2]), bits([2 ** 31 + 5, 99], [2])], (a, b) =>
      halves(calls.xor(a!, b!)),
    ),
  ],
}

/** Every operator with its cases. Their numbers are the same in every run. */
export const opCases = (): readonly { readonly op: OpName; readonly cases: readonly OpCase[] }[] =>
  (Object.keys(CASES) as OpName[]).map((op) => ({ op, cases: CASES[op](randomStream(1, op)) }))
