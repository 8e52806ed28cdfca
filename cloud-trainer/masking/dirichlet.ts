/** Dirichlet(α, …, α): masking probabilities that sum to 1, so that the mean share hidden is 1/M. */
import type { Random } from '#shared/std/random.ts'

/** At α = 1 the gamma variates are exponential, and their logarithm is had from one uniform. */
export const drawDirichlet = (modalities: number, alpha: number, random: Random): readonly number[] => {
  const draw = alpha === 1 ? () => Math.log(-Math.log(random.uniform())) : () => drawLnGamma(alpha, random)
  const logs = Array.from({ length: modalities }, draw)
  // Small α give variates below the smallest number; relative to the largest one the others may be 0.
  const largest = Math.max(...logs)
  const relative = logs.map((ln) => Math.exp(ln - largest))
  const sum = relative.reduce((total, value) => total + value, 0)
  return relative.map((value) => value / sum)
}

/**
 * ln of a Gamma(shape, 1) variate, by rejection from a transformed normal (Marsaglia and Tsang 2000, ACM TOMS 26).
 * Shapes below 1: Gamma(shape) = Gamma(shape + 1) · U^(1/shape) (their section 6).
 */
export const drawLnGamma = (shape: number, random: Random): number => {
  if (shape < 1) return drawLnGamma(shape + 1, random) + Math.log(random.uniform()) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    const lnV = Math.log(v)
    if (Math.log(random.uniform()) < x ** 2 / 2 + d * (1 - v + lnV)) return Math.log(d) + lnV
  }
}
