import { describe, expect, test } from 'vitest'
import { float, int } from './attributes.ts'
import { backward } from './backward.ts'
import * as calls from './calls.ts'
import {
  addConstant,
  addInput,
  addOutput,
  addParameter,
  createGraph,
  emit,
  type Graph,
  GraphError,
  type Tensor,
  within,
} from './graph.ts'
import { linear } from './layers/linear.ts'
import { toProgram } from './program.ts'

const input = (graph: Graph, name: string, ...shape: (number | string)[]): Tensor =>
  addInput(graph, name, 'float32', shape)

/** Operands that don't fit, and what the message must say beside the layer's path. */
const REFUSED: readonly {
  readonly op: string
  readonly shapes: readonly string[]
  readonly make: (g: Graph) => unknown
}[] = [
  { op: 'Add', shapes: ['[2, 3]', '[2, 4]'], make: (g) => calls.add(input(g, 'a', 2, 3), input(g, 'b', 2, 4)) },
  { op: 'Mul', shapes: ['[N]', '[M]'], make: (g) => calls.multiply(input(g, 'a', 'N'), input(g, 'b', 'M')) },
  { op: 'Mul', shapes: ['[N]', '[2]'], make: (g) => calls.multiply(input(g, 'a', 'N'), input(g, 'b', 2)) },
  { op: 'MatMul', shapes: ['[N, 3]', '[4, 2]'], make: (g) => calls.matMul(input(g, 'a', 'N', 3), input(g, 'b', 4, 2)) },
  {
    op: 'Gemm',
    shapes: ['[N, 3]', '[3, 2]', '[5]'],
    make: (g) => calls.gemm(input(g, 'a', 'N', 3), input(g, 'b', 3, 2), input(g, 'c', 5)),
  },
  { op: 'Gemm', shapes: ['[2, 3, 4]'], make: (g) => calls.gemm(input(g, 'a', 2, 3, 4), input(g, 'b', 4, 2)) },
  {
    op: 'FusedMatMul',
    shapes: ['[3, N]', '[2, 3]'],
    make: (g) => calls.fusedMatMul(input(g, 'a', 3, 'N'), input(g, 'b', 2, 3), { transB: true }),
  },
  { op: 'Reshape', shapes: ['[N, 6]'], make: (g) => calls.reshape(input(g, 'a', 'N', 6), ['N', 4]) },
  { op: 'Transpose', shapes: ['[2, 3]'], make: (g) => calls.transpose(input(g, 'a', 2, 3), [0, 0]) },
  { op: 'Split', shapes: ['[N, 6]'], make: (g) => calls.split(input(g, 'a', 'N', 6), 1, [2, 3]) },
  {
    op: 'Concat',
    shapes: ['[N, 6]', '[N, 5]'],
    make: (g) => calls.concat([input(g, 'a', 'N', 6), input(g, 'b', 'N', 5)], 0),
  },
  { op: 'Squeeze', shapes: ['[N, 6]'], make: (g) => calls.squeeze(input(g, 'a', 'N', 6), [0]) },
  { op: 'Slice', shapes: ['[N, 6]'], make: (g) => calls.slice(input(g, 'a', 'N', 6), 0, 0, 2) },
  { op: 'Expand', shapes: ['[2, 6]'], make: (g) => calls.expand(input(g, 'a', 2, 6), calls.sizes(g, [3, 6])) },
  { op: 'Softmax', shapes: ['[2, 6]'], make: (g) => emit('Softmax', [input(g, 'a', 2, 6)], { axis: int(0) }) },
  {
    op: 'LayerNormalization',
    shapes: ['[N, 6]', '[5]'],
    make: (g) => calls.layerNormalization(input(g, 'a', 'N', 6), input(g, 'b', 5), null, 1e-5),
  },
  { op: 'Gather', shapes: ['float32[N]'], make: (g) => calls.gather(input(g, 'a', 4, 2), input(g, 'b', 'N')) },
  {
    op: 'Where',
    shapes: ['float32[2]'],
    make: (g) => calls.where(input(g, 'a', 2), input(g, 'b', 2), input(g, 'c', 2)),
  },
  { op: 'ReduceSum', shapes: ['[N, 6]'], make: (g) => calls.sum(input(g, 'a', 'N', 6), [2]) },
  {
    op: 'Add',
    shapes: ['float32[2]', 'int32[2]'],
    make: (g) => calls.add(input(g, 'a', 2), addInput(g, 'b', 'int32', [2])),
  },
  { op: 'Exp', shapes: ['int32[2]'], make: (g) => calls.exp(addInput(g, 'a', 'int32', [2])) },
]

describe('operands that do not fit are refused where they are added', () => {
  test.each(REFUSED)('$op of $shapes', ({ op, shapes, make }) => {
    const graph = createGraph()
    const error = thrownBy(() => within(graph, 'layer.1', () => within(graph, 'attention', () => make(graph))))
    expect(error).toBeInstanceOf(GraphError)
    for (const part of ['layer.1.attention: ', op, ...shapes]) expect(error.message).toContain(part)
    expect(graph.path).toEqual([])
  })
})

const thrownBy = (build: () => unknown): Error => {
  try {
    build()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was refused')
}

test('attributes have the type their operator declares', () => {
  const graph = createGraph()
  const x = input(graph, 'x', 2, 3)
  expect(() => emit('Softmax', [x], { axis: float(-1) })).toThrow('declared type')
  expect(() => emit('Softmax', [x], { beta: int(1) })).toThrow('declared type')
  expect(() => emit('Softmax', [x, x])).toThrow('number of inputs')
})

test('equal constants are stored once, and different ones are not', () => {
  const graph = createGraph()
  const one = addConstant(graph, 'float32', [2], [1, 2])
  expect(addConstant(graph, 'float32', [2], Float32Array.of(1, 2))).toBe(one)
  expect(addConstant(graph, 'int64', [2], [1, 2])).not.toBe(one)
  expect(addConstant(graph, 'float32', [1, 2], [1, 2])).not.toBe(one)
})

test('names of inputs and outputs are unique, and tensors of two graphs do not mix', () => {
  const graph = createGraph()
  const x = input(graph, 'x', 2)
  expect(() => input(graph, 'x', 3)).toThrow('unique')
  expect(() => calls.add(x, input(createGraph(), 'y', 2))).toThrow('one graph')
  addOutput(graph, 'y', calls.exp(x))
  expect(() => addOutput(graph, 'y', calls.exp(x))).toThrow('unique')
  expect(() => addOutput(graph, 'x', x)).toThrow('computed by a node')
})

test('a program keeps the nodes that its outputs need', () => {
  const graph = createGraph()
  const x = input(graph, 'x', 2)
  calls.sine(x)
  addOutput(graph, 'y', calls.exp(calls.negate(x)))
  expect(toProgram(graph).nodes.map(({ op }) => op)).toEqual(['Neg', 'Exp'])
})

describe('the backward pass', () => {
  const loss = (x: Tensor): Tensor => calls.reshape(calls.sum(x, [...x.shape.keys()]), [])

  test('refuses a parameter that the loss does not depend on, and a second pass', () => {
    const graph = createGraph()
    const used = addParameter(graph, 'used', [2])
    const unused = addParameter(graph, 'unused', [2])
    const result = loss(calls.exp(used))
    expect(() => backward(result, [used, unused])).toThrow('does not depend on unused')
    expect(() => backward(result, [used])).toThrow('once')
  })

  test('refuses what has no gradient, with the reason', () => {
    const graph = createGraph()
    const x = addParameter(graph, 'x', [2])
    const result = within(graph, 'head', () => loss(calls.sign(x)))
    expect(() => backward(result, [x])).toThrow('head: Sign has no gradient: it is constant between jumps')
  })

  test('refuses to scatter along columns or join parts of unknown size', () => {
    const graph = createGraph()
    const x = addParameter(graph, 'x', [2, 3])
    const picked = calls.gather(x, addInput(graph, 'i', 'int32', [2]), 1)
    expect(() => backward(loss(picked), [x])).toThrow('only rows')
  })

  test('wants one number', () => {
    const graph = createGraph()
    const x = addParameter(graph, 'x', [2])
    expect(() => backward(calls.exp(x), [x])).toThrow('one number')
  })

  test('adds products up inside Gemm, not with Add', () => {
    const graph = createGraph()
    const [x, w] = [addParameter(graph, 'x', [5, 3]), addParameter(graph, 'w', [3, 3])]
    const b = input(graph, 'b', 3)
    const result = loss(linear(linear(x, w, b), w, b))
    for (const [i, gradient] of backward(result, [x, w]).entries()) addOutput(graph, `d${i}`, gradient)
    const { nodes } = toProgram(graph)
    expect(nodes.filter(({ op }) => op === 'Add')).toEqual([])
    expect(nodes.filter(({ op, inputs }) => op === 'Gemm' && inputs.length === 3 && !inputs.includes(b))).toHaveLength(
      1,
    )
  })
})
