import { add, cast, divide, multiply, negate, reshape, sigmoid, sizeOf, softplus, subtract, sum } from '../calls.ts'
import { addLayer, type Tensor } from '../graph.ts'

/**
 * Weighted binary cross-entropy: the mean over observations and labels of
 * positive·softplus(−z) + negative·softplus(z), where softplus(−z) = −ln σ(z).
 * z: [B, C] logits; positive: weight × (label is 1), negative: weight × (label is 0), both [B, C] and both 0
 * for an unknown label. The mean counts unknown labels too, so that shares of a batch add up to the whole.
 */
export const binaryCrossEntropy = (z: Tensor, positive: Tensor, negative: Tensor): Tensor =>
  addLayer(
    z.graph,
    'binaryCrossEntropy',
    () => {
      const terms = add(multiply(positive, softplus(negate(z))), multiply(negative, softplus(z)))
      return divide(reshape(sum(terms, [0, 1]), []), count(z))
    },
    (gradients, dy) =>
      gradients.add(z, () => {
        const slope = subtract(multiply(negative, sigmoid(z)), multiply(positive, sigmoid(negate(z))))
        return multiply(slope, divide(dy, count(z)))
      }),
  )

const count = (z: Tensor): Tensor => cast(sizeOf(z), 'float32')
