/**
 * Scaled dot-product attention (Vaswani et al. 2017, eq. 1), softmax(α·q·kᵀ + bias)·v with α = 1/√d.
 * The backward pass takes δ = rowSum(dO∘O), which equals rowSum(dP∘P), from the narrow [.., d] rows instead
 * of the wide ones (Dao et al. 2022, appendix B.2):
 *
 *   dV = Pᵀ·dO    dP = dO·Vᵀ    dS = P∘(dP − δ)    dQ = α·dS·K    dK = α·dSᵀ·Q
 *
 * With dropout P̃ = P∘mask stands for P in the result, dV = P̃ᵀ·dO and dP = (dO·Vᵀ)∘mask. δ stays what it is:
 * rowSum(dP∘P) = rowSum((dO·Vᵀ)∘P̃) = rowSum(dO∘O).
 */
import { add, fusedMatMul, matMul, multiply, softmax, subtract, sum } from '../calls.ts'
import { addLayer, numbersOf, type Tensor } from '../graph.ts'

/** Added to the scores of hidden keys. exp of it is exactly 0, and unlike −∞ it can't make NaN. */
const HIDDEN_SCORE = -1e9

/**
 * q: [B, heads, queries, d]; k, v: [B, heads, keys, d]; bias: [B, 1, 1, keys] or null.
 * A hidden key takes no part as long as one key of its observation is visible; if none is, the result is
 * the mean of hidden values, so callers keep one visible.
 * mask: what the probabilities are multiplied by, [B, heads, queries, keys]; null for no dropout.
 */
export const attention = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor | null, mask: Tensor | null = null): Tensor => {
  const [depth] = numbersOf(q.shape.slice(-1))
  const alpha = 1 / Math.sqrt(depth!)
  let p!: Tensor
  let kept!: Tensor
  let o!: Tensor
  return addLayer(
    q.graph,
    'attention',
    () => {
      const scores = fusedMatMul(q, k, { transB: true, alpha })
      p = softmax(bias ? add(scores, bias) : scores)
      kept = mask ? multiply(p, mask) : p
      o = matMul(kept, v)
      return o
    },
    (gradients, dO) => {
      gradients.add(v, () => fusedMatMul(kept, dO, { transA: true }))
      const delta = sum(multiply(dO, o), [-1])
      const dKept = fusedMatMul(dO, v, { transB: true })
      const dS = multiply(p, subtract(mask ? multiply(dKept, mask) : dKept, delta))
      gradients.add(q, () => fusedMatMul(dS, k, { alpha }))
      gradients.add(k, () => fusedMatMul(dS, q, { transA: true, alpha }))
    },
  )
}

/** hidden: [.., keys], 1 = hidden → what `attention` adds to the scores. */
export const keyBias = (hidden: Tensor): Tensor => multiply(hidden, HIDDEN_SCORE)
