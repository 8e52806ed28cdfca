/**
 * LayerNorm (Ba et al. 2016) followed by a linear, with scale and shift folded into the weights: work per
 * parameter instead of per token. With h the normalised rows, γ the scale, β the shift:
 *
 *   W' = γ∘W − columnMean(γ∘W)      b' = b + β·W      y = h·W' + b'
 *
 * The rows of h sum to 0, so centring the columns of W' leaves y as it is; but then the rows of dh sum to
 * 0 as well, and the backward pass of the norm loses its mean term. The parameters and their gradients are
 * those of an ordinary LayerNorm and linear.
 */
import { add, fusedMatMul, gemm, layerNormalization, matMul, mean, multiply, reshape, subtract, sum } from '../calls.ts'
import { addConstant, addLayer, numbersOf, type Tensor } from '../graph.ts'
import { columnSums } from './linear.ts'

/** PyTorch's default, which the reference models use. */
export const EPSILON = 1e-5

/** The parameters of a norm; both [width]. */
export type Norm = { readonly scale: Tensor; readonly shift: Tensor }

/** x: [N, in]; weight: [in, out]; bias: [out]. */
export const normLinear = (x: Tensor, { scale, shift }: Norm, weight: Tensor, bias: Tensor): Tensor => {
  const { graph } = x
  const [width] = numbersOf(scale.shape)
  const column = [width!, 1]
  let h!: Tensor
  let inverse!: Tensor
  let folded!: Tensor
  return addLayer(
    graph,
    'normLinear',
    () => {
      const ones = addConstant(graph, 'float32', [width!], new Array<number>(width!).fill(1))
      ;[h, , inverse] = layerNormalization(x, ones, null, EPSILON)
      const scaled = multiply(weight, reshape(scale, column))
      folded = subtract(scaled, mean(scaled, [0]))
      const shifted = reshape(matMul(reshape(shift, [1, width!]), weight), bias.shape)
      return gemm(h, folded, add(bias, shifted))
    },
    (gradients, dy) => {
      // The columns of hᵀ·dy sum to 0 because the rows of h do: the centring needs no projection here.
      const dFolded = gemm(h, dy, null, { transA: true })
      const dBias = columnSums(dy, bias)
      const dBiasRow = reshape(dBias, [1, ...bias.shape])
      gradients.add(bias, () => dBias)
      gradients.add(weight, () => gemm(reshape(shift, column), dBiasRow, multiply(dFolded, reshape(scale, column))))
      gradients.add(scale, () => sum(multiply(weight, dFolded), [1], { keep: false }))
      gradients.add(shift, () => reshape(fusedMatMul(weight, dBiasRow, { transB: true }), shift.shape))
      gradients.add(x, () => {
        const dh = gemm(dy, folded, null, { transB: true })
        return multiply(inverse, subtract(dh, multiply(h, mean(multiply(dh, h), [1]))))
      })
    },
  )
}
