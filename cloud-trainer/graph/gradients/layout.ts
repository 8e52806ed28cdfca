/** Gradient rules of operators that only move elements. */
import { intsOf, numberOf } from '../attributes.ts'
import {
  concat,
  filled,
  gemm,
  oneHot,
  reshape,
  shapeOf,
  sizes,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from '../calls.ts'
import { GraphError, type Node, numbersOf, type Tensor } from '../graph.ts'
import { axisOf, product } from '../shape.ts'
import type { Differentiation, GradientRule } from './rule.ts'
import { unbroadcast } from './unbroadcast.ts'

/** A rule that moves the gradient back the way the value came. */
const moved =
  (back: (dy: Tensor, node: Node) => Tensor): GradientRule =>
  (node, gradients) => {
    const dy = gradients.of(node.outputs[0]!)
    if (dy) gradients.add(node.inputs[0]!, () => back(dy, node))
  }

const axesOf = ({ inputs: [, axes] }: Node): readonly number[] => numbersOf(axes!.contents!)

/** Zeros of `like`'s shape, but `size` along one axis. */
const zerosAlong = (like: Tensor, axis: number, size: number): Tensor => {
  const { graph, shape } = like
  const parts = [sizes(graph, [size])]
  if (axis > 0) parts.unshift(shapeOf(like, 0, axis))
  if (axis < shape.length - 1) parts.push(shapeOf(like, axis + 1))
  return filled(concat(parts, 0), 0)
}

export const LAYOUT_GRADIENTS = {
  Reshape: moved((dy, { inputs: [x] }) => reshape(dy, x!.shape)),
  Squeeze: moved((dy, node) => unsqueeze(dy, axesOf(node))),
  Unsqueeze: moved((dy, node) => squeeze(dy, axesOf(node))),
  Expand: moved((dy, { inputs: [x] }) => unbroadcast(dy, x!.shape)),
  Transpose: moved((dy, { attributes }) => {
    const permutation = intsOf(attributes, 'perm') ?? []
    return transpose(
      dy,
      [...permutation.keys()].map((axis) => permutation.indexOf(axis)),
    )
  }),
  Slice: ({ inputs: [x, start, , axis], outputs: [y] }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    gradients.add(x!, () => {
      const k = axisOf(Number(axis!.contents![0]), x!.shape)
      const [whole, part] = numbersOf([x!.shape[k]!, y!.shape[k]!])
      const first = Number(start!.contents![0])
      const before = first < 0 ? first + whole! : first
      const after = whole! - before - part!
      const parts = [dy]
      if (before > 0) parts.unshift(zerosAlong(dy, k, before))
      if (after > 0) parts.push(zerosAlong(dy, k, after))
      return concat(parts, k)
    })
  },
  Split: ({ inputs: [x], outputs, attributes }, gradients) => {
    if (outputs.every((y) => gradients.of(y) === null)) return
    const axis = axisOf(numberOf(attributes, 'axis', 0), x!.shape)
    gradients.add(x!, () =>
      concat(
        outputs.map((y) => gradients.of(y) ?? filled(shapeOf(y), 0)),
        axis,
      ),
    )
  },
  Concat: ({ inputs, outputs: [y], attributes, path }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    const axis = axisOf(numberOf(attributes, 'axis', 0), y!.shape)
    if (typeof y!.shape[axis] !== 'number') {
      throw new GraphError(`${path}: Concat along ${y!.shape[axis]} has no gradient rule: its parts have no known size`)
    }
    const parts = split(dy, axis, numbersOf(inputs.map((input) => input.shape[axis]!)))
    for (const [i, input] of inputs.entries()) gradients.add(input, () => parts[i]!)
  },
  /**
   * Rows chosen by index: each row's gradient is the sum over its uses, as a product with one-hot rows.
   * (ONNX Runtime's ScatterND with addition loses sums when indices repeat and it has several threads.)
   */
  Gather: ({ inputs: [x, index], outputs: [y], attributes, path }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    if (numberOf(attributes, 'axis', 0) !== 0) throw new GraphError(`${path}: only rows are gathered with a gradient`)
    gradients.addProduct(x!, (sum) => {
      const [rows] = numbersOf([x!.shape[0]!])
      const width = product(x!.shape.slice(1))
      const count = product(index!.shape)
      const hot = oneHot(reshape(index!, [count]), rows!)
      const flat = sum && reshape(sum, [rows!, width])
      return reshape(gemm(hot, reshape(dy, [count, width]), flat, { transA: true }), x!.shape)
    })
  },
} satisfies Record<string, Differentiation>
