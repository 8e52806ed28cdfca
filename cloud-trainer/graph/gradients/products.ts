/** Gradient rules of matrix products. With y = α·A·B: dA = α·dy·Bᵀ and dB = α·Aᵀ·dy. */
import { flagOf, numberOf } from '../attributes.ts'
import { fusedMatMul, gemm, multiply } from '../calls.ts'
import type { Gradients, Node } from '../graph.ts'
import type { Differentiation } from './rule.ts'
import { unbroadcast } from './unbroadcast.ts'

const batched = ({ inputs: [a, b], outputs: [y], attributes }: Node, gradients: Gradients): void => {
  const dy = gradients.of(y!)
  if (!dy) return
  const alpha = numberOf(attributes, 'alpha', 1)
  const [transA, transB] = [flagOf(attributes, 'transA'), flagOf(attributes, 'transB')]
  gradients.add(a!, () =>
    unbroadcast(
      transA
        ? fusedMatMul(b!, dy, { transA: transB, transB: true, alpha })
        : fusedMatMul(dy, b!, { transB: !transB, alpha }),
      a!.shape,
    ),
  )
  gradients.add(b!, () =>
    unbroadcast(
      transB
        ? fusedMatMul(dy, a!, { transA: true, transB: transA, alpha })
        : fusedMatMul(a!, dy, { transA: !transA, alpha }),
      b!.shape,
    ),
  )
}

export const PRODUCT_GRADIENTS = {
  MatMul: batched,
  FusedMatMul: batched,
  Gemm: ({ inputs: [a, b, c], outputs: [y], attributes }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    const alpha = numberOf(attributes, 'alpha', 1)
    const [transA, transB] = [flagOf(attributes, 'transA'), flagOf(attributes, 'transB')]
    gradients.addProduct(a!, (sum) =>
      transA
        ? gemm(b!, dy, sum, { transA: transB, transB: true, alpha })
        : gemm(dy, b!, sum, { transB: !transB, alpha }),
    )
    gradients.addProduct(b!, (sum) =>
      transB
        ? gemm(dy, a!, sum, { transA: true, transB: transA, alpha })
        : gemm(a!, dy, sum, { transA: !transA, alpha }),
    )
    const beta = numberOf(attributes, 'beta', 1)
    if (c) gradients.add(c, () => unbroadcast(beta === 1 ? dy : multiply(dy, beta), c.shape))
  },
} satisfies Record<string, Differentiation>
