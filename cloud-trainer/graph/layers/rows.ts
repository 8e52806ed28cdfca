/**
 * Moving rows between layouts. Whoever packs a batch knows each index and its inverse, so both directions
 * are gathers: no scatter, which ONNX Runtime gets wrong or does slowly.
 */
import { add, concat, gather, multiply, negate, reshape } from '../calls.ts'
import { addConstant, addLayer, type Graph, numbersOf, type Tensor } from '../graph.ts'
import { product } from '../shape.ts'

/** x with a row of zeros below, for indices that point at nothing. x: [N, D] → [N + 1, D]. */
export const withZeroRow = (x: Tensor): Tensor => concat([x, zeroRow(x.graph, numbersOf([x.shape[1]!])[0]!)], 0)

export const zeroRow = (graph: Graph, width: number): Tensor =>
  addConstant(graph, 'float32', [1, width], new Array<number>(width).fill(0))

/** Some rows of x. index: [M], each row at most once; inverse: [N], the place of each row in it, or M. */
export const pickRows = (x: Tensor, index: Tensor, inverse: Tensor): Tensor =>
  addLayer(
    x.graph,
    'pickRows',
    () => gather(x, index),
    (gradients, dy) => gradients.add(x, () => gather(withZeroRow(dy), inverse)),
  )

/** Packed rows and their places in a padded view of B observations with K places each. */
export type Padding = {
  /** [B, K] int32: the packed row shown at each place; any row where there is padding. */
  readonly padIndex: Tensor
  /** [N] int32: the place b·K + k of each packed row. */
  readonly unpadIndex: Tensor
  /** [B, K, 1] float32: 1 at real places, 0 at padding. */
  readonly real: Tensor
}

/** [N, D] → [B, K, D]. Nothing flows back out of padding. */
export const pad = (x: Tensor, { padIndex, unpadIndex }: Padding): Tensor =>
  addLayer(
    x.graph,
    'pad',
    () => gather(x, padIndex),
    (gradients, dy) => gradients.add(x, () => gather(flatten(dy), unpadIndex)),
  )

/** [B, K, D] → [N, D]. Padding gets a gradient of 0: without it, padded queries would reach real keys. */
export const unpad = (x: Tensor, { padIndex, unpadIndex, real }: Padding): Tensor =>
  addLayer(
    x.graph,
    'unpad',
    () => gather(flatten(x), unpadIndex),
    (gradients, dy) => gradients.add(x, () => multiply(gather(dy, padIndex), real)),
  )

/** [A, B, D] → [A·B, D]. */
export const flatten = (x: Tensor): Tensor => reshape(x, [product(x.shape.slice(0, -1)), x.shape.at(-1)!])

/** 1 − x for a mask. */
export const complement = (mask: Tensor): Tensor => add(negate(mask), 1)
