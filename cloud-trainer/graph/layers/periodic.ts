import { concat, cosine, fusedMatMul, multiply, sine, split, subtract } from '../calls.ts'
import { addLayer, numbersOf, type Tensor } from '../graph.ts'

/**
 * Periodic expansion of one number (Gorishniy et al. 2022, eq. 2): x → [cos(2π·c·x), sin(2π·c·x)] with learned
 * frequencies c. x: [groups, rows, 1]; frequencies: [groups, 1, F]; result: [groups, rows, 2F].
 */
export const periodic = (x: Tensor, frequencies: Tensor): Tensor => {
  let waves!: readonly [Tensor, Tensor]
  return addLayer(
    x.graph,
    'periodic',
    () => {
      const angle = multiply(multiply(x, frequencies), 2 * Math.PI)
      waves = [cosine(angle), sine(angle)]
      return concat(waves, 2)
    },
    (gradients, dy) => {
      const [count] = numbersOf(frequencies.shape.slice(-1))
      const [dCosine, dSine] = split(dy, 2, [count!, count!])
      const dAngle = subtract(multiply(dSine!, waves[0]), multiply(dCosine!, waves[1]))
      gradients.add(frequencies, () => fusedMatMul(x, dAngle, { transA: true, alpha: 2 * Math.PI }))
      gradients.add(x, () => fusedMatMul(dAngle, frequencies, { transB: true, alpha: 2 * Math.PI }))
    },
  )
}
