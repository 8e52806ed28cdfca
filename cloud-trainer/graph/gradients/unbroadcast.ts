import { matMul, onesFor, reshape, sum } from '../calls.ts'
import type { Tensor } from '../graph.ts'
import { product, type Shape, sameShape } from '../shape.ts'

/**
 * The gradient of an operand that broadcasting stretched: the sum over the axes it added or stretched.
 * Every rule with broadcasting calls this; none sums by itself.
 */
export const unbroadcast = (gradient: Tensor, shape: Shape): Tensor => {
  if (sameShape(gradient.shape, shape)) return gradient
  const added = gradient.shape.length - shape.length
  const kept = gradient.shape.slice(added)
  if (added > 0 && sameShape(kept, shape)) return sumOfLeading(gradient, shape)
  const axes = gradient.shape.flatMap((dim, i) => (i < added || shape[i - added] !== dim ? [i] : []))
  return reshape(sum(gradient, axes), shape)
}

/** Sum over the axes in front of `shape`, as a product with a row of ones. */
const sumOfLeading = (gradient: Tensor, shape: Shape): Tensor => {
  const leading = gradient.shape.slice(0, gradient.shape.length - shape.length)
  const rows = reshape(gradient, [product(leading), product(shape)])
  return reshape(matMul(onesFor(rows), rows), shape)
}
