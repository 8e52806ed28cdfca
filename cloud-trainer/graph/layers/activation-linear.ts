/** An activation followed by a linear. Together, because the product before it can do a part of the slope's work. */
import { assertNever } from '#shared/std/assert.ts'
import { add, erf, exp, gelu, gemm, multiply, relu, scalar, sign, subtract } from '../calls.ts'
import { addLayer, type Tensor } from '../graph.ts'
import { columnSums } from './linear.ts'

export type Activation = 'gelu' | 'relu'

const activate = (h: Tensor, activation: Activation): Tensor => {
  switch (activation) {
    case 'gelu':
      return gelu(h)
    case 'relu':
      return relu(h)
    default:
      return assertNever(activation)
  }
}

/**
 * Slope of the exact GELU, doubled: 1 + erf u + (2/√π)·u·e^(−u²) with u = h/√2. The factor 2/√π goes into
 * the exponent, which saves a pass over the matrix.
 */
const doubleGeluSlope = (h: Tensor): Tensor => {
  const u = multiply(h, Math.SQRT1_2)
  const exponent = subtract(scalar(h.graph, Math.log(2 / Math.sqrt(Math.PI))), multiply(u, u))
  return add(add(multiply(u, exp(exponent)), erf(u)), 1)
}

/** activation(h)·W + b. h: [N, in]; weight: [in, out]; bias: [out]. */
export const activationLinear = (h: Tensor, activation: Activation, weight: Tensor, bias: Tensor): Tensor => {
  let a!: Tensor
  return addLayer(
    h.graph,
    'activationLinear',
    () => {
      a = activate(h, activation)
      return gemm(a, weight, bias)
    },
    (gradients, dy) => {
      gradients.addProduct(weight, (sum) => gemm(a, dy, sum, { transA: true }))
      gradients.add(bias, () => columnSums(dy, bias))
      gradients.add(h, () =>
        activation === 'gelu'
          ? multiply(gemm(dy, weight, null, { transB: true, alpha: 0.5 }), doubleGeluSlope(h))
          : multiply(gemm(dy, weight, null, { transB: true }), sign(a)),
      )
    },
  )
}
