import { cast, divide, exp, logSoftmax, multiply, negate, reshape, sizeOf, subtract, sum } from '../calls.ts'
import { addLayer, numbersOf, type Tensor } from '../graph.ts'

/**
 * Cross-entropy of a softmax: the mean over observations of −Σ target·ln softmax(z).
 * z: [B, C] logits; target: [B, C], 1 for the class of an observation, or a row of zeros when it is unknown. The mean
 * counts unknown ones too, so that shares of a batch add up to the whole.
 */
export const crossEntropy = (z: Tensor, target: Tensor): Tensor => {
  let logs!: Tensor
  return addLayer(
    z.graph,
    'crossEntropy',
    () => {
      logs = logSoftmax(z)
      return divide(reshape(negate(sum(multiply(target, logs), [0, 1])), []), rowCount(z))
    },
    (gradients, dy) =>
      gradients.add(z, () => {
        const slope = subtract(multiply(exp(logs), sum(target, [1])), target)
        return multiply(slope, divide(dy, rowCount(z)))
      }),
  )
}

const rowCount = (z: Tensor): Tensor => divide(cast(sizeOf(z), 'float32'), numbersOf(z.shape.slice(-1))[0]!)
