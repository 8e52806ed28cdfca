/** Gradient rules of operators over rows, and of sums and means. */
import { cast, divide, exp, expand, mean, multiply, reshape, shapeOf, sizeOf, subtract, sum } from '../calls.ts'
import type { Gradients, Node, Tensor } from '../graph.ts'
import { axisOf, type Shape } from '../shape.ts'
import type { Differentiation } from './rule.ts'
import { unbroadcast } from './unbroadcast.ts'

/** The shape of the input with 1 for every axis that was summed away. */
const keptShape = ({ inputs: [x, axes] }: Node): Shape => {
  const over = axes?.contents?.map((axis) => axisOf(Number(axis), x!.shape)) ?? x!.shape.map((_, i) => i)
  return x!.shape.map((dim, i) => (over.includes(i) ? 1 : dim))
}

/** dy repeated over the summed axes. */
const spread = (node: Node, dy: Tensor): Tensor => expand(reshape(dy, keptShape(node)), shapeOf(node.inputs[0]!))

const gradientOf = ({ outputs }: Node, gradients: Gradients): Tensor | null => gradients.of(outputs[0]!)

export const ROW_GRADIENTS = {
  ReduceSum: (node, gradients) => {
    const dy = gradientOf(node, gradients)
    if (dy) gradients.add(node.inputs[0]!, () => spread(node, dy))
  },
  ReduceMean: (node, gradients) => {
    const dy = gradientOf(node, gradients)
    if (!dy) return
    gradients.add(node.inputs[0]!, () => {
      // Elements of the input for each one of the output.
      const count = divide(cast(sizeOf(node.inputs[0]!), 'float32'), cast(sizeOf(dy), 'float32'))
      return spread(node, divide(dy, count))
    })
  },
  /** dx = y ∘ (dy − Σ dy∘y), summed over the row. */
  Softmax: (node, gradients) => {
    const dy = gradientOf(node, gradients)
    const y = node.outputs[0]!
    if (dy) gradients.add(node.inputs[0]!, () => multiply(y, subtract(dy, sum(multiply(dy, y), [-1]))))
  },
  /** dx = dy − softmax · Σ dy, summed over the row. */
  LogSoftmax: (node, gradients) => {
    const dy = gradientOf(node, gradients)
    if (!dy) return
    gradients.add(node.inputs[0]!, () => subtract(dy, multiply(exp(node.outputs[0]!), sum(dy, [-1]))))
  },
  /** With h the rows before scale and shift, and g = dy∘scale: dx = inverse·(g − mean g − h·mean(g∘h)). */
  LayerNormalization: (node, gradients) => {
    const [x, scale, shift] = node.inputs
    const [y, means, inverse] = node.outputs
    const dy = gradients.of(y!)
    if (gradients.of(means!) || gradients.of(inverse!))
      throw new Error('the statistics of a norm are not differentiated')
    if (!dy) return
    const h = multiply(subtract(x!, means!), inverse!)
    gradients.add(x!, () => {
      const g = multiply(dy, scale!)
      const slope = multiply(h, mean(multiply(g, h), [-1]))
      return multiply(inverse!, subtract(subtract(g, mean(g, [-1])), slope))
    })
    gradients.add(scale!, () => unbroadcast(multiply(dy, h), scale!.shape))
    if (shift) gradients.add(shift, () => unbroadcast(dy, shift.shape))
  },
} satisfies Record<string, Differentiation>
