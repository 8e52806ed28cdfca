/** Linear layers over a matrix of tokens [N, D]: no batch axis outside attention. */
import { add, fusedMatMul, gemm, matMul, onesFor, reshape } from '../calls.ts'
import { addLayer, type Tensor } from '../graph.ts'

/** Sums of the columns of dy, in the shape of a bias. */
export const columnSums = (dy: Tensor, bias: Tensor): Tensor => reshape(matMul(onesFor(dy), dy), bias.shape)

/** x·W + b. x: [N, in]; weight: [in, out]; bias: [out]. */
export const linear = (x: Tensor, weight: Tensor, bias: Tensor): Tensor =>
  addLayer(
    x.graph,
    'linear',
    () => gemm(x, weight, bias),
    (gradients, dy) => {
      gradients.addProduct(weight, (sum) => gemm(x, dy, sum, { transA: true }))
      gradients.add(bias, () => columnSums(dy, bias))
      gradients.addProduct(x, (sum) => gemm(dy, weight, sum, { transB: true }))
    },
  )

/**
 * A linear of its own for each group, as one batched product.
 * x: [groups, rows, in]; weight: [groups, in, out]; bias: [groups, 1, out].
 */
export const groupLinear = (x: Tensor, weight: Tensor, bias: Tensor): Tensor =>
  addLayer(
    x.graph,
    'groupLinear',
    () => add(matMul(x, weight), bias),
    (gradients, dy) => {
      gradients.add(weight, () => fusedMatMul(x, dy, { transA: true }))
      gradients.add(bias, () => matMul(onesFor(dy), dy))
      gradients.add(x, () => fusedMatMul(dy, weight, { transB: true }))
    },
  )
