/**
 * The error function in float64. Near zero its Maclaurin series in the form of Abramowitz & Stegun 7.1.6,
 * erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3···(2n+1)), whose terms are all positive; further out the
 * continued fraction of erfc (A&S 7.1.14). Error below 1e-15 (test).
 */
const SERIES_BELOW = 3

const series = (x: number): number => {
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** √π · e^(x²) · erfc x = 1/(x + ½/(x + 1/(x + ³⁄₂/(x + …)))), evaluated from the inside. */
const complement = (x: number): number => {
  let fraction = x
  for (let n = 60; n >= 1; n--) fraction = x + n / 2 / fraction
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction)
}

export const erf = (x: number): number => {
  if (x === 0 || Number.isNaN(x)) return x
  if (Math.abs(x) < SERIES_BELOW) return series(x)
  return Math.sign(x) * (1 - complement(Math.abs(x)))
}
