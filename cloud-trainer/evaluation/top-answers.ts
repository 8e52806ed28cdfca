/** What the single-label task says first: how sure it is of it, and whether it is right. */
import { classOf, topClass } from '../metrics/top1.ts'

export type TopAnswers = {
  /** [observations]: probability of the most probable class. */
  readonly probabilities: Float64Array
  /** [observations]: 1 when it is the class, 0 when not, NaN when the class is unknown. */
  readonly labels: Float32Array
}

/**
 * The calibration error of a single-label model is that of these (Guo et al. 2017, section 2: confidence), and not that
 * of every class on its own. probabilities and labels: [observations × count], row-major.
 */
export const topAnswers = (probabilities: ArrayLike<number>, labels: Float32Array, count: number): TopAnswers => {
  const rows = Array.from({ length: labels.length / count }, (_, row) => row)
  const tops = rows.map((row) => topClass(probabilities, row, count))
  return {
    probabilities: Float64Array.from(rows, (row) =>
      tops[row]! < 0 ? Number.NaN : probabilities[row * count + tops[row]!]!,
    ),
    labels: Float32Array.from(rows, (row) => {
      const own = classOf(labels, row, count)
      return own < 0 ? Number.NaN : Number(own === tops[row])
    }),
  }
}
