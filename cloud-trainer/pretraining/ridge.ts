/**
 * Ridge regression in closed form (Hoerl and Kennard 1970), B = (XᵀX + n·λ·I)⁻¹·XᵀY, from sums that many subsets of the
 * inputs share. The first input is always 1 and is not penalized. Float64.
 */
import { assert } from '#shared/std/assert.ts'

/** Sums of products of all numbers of `count` rows, [size × size], symmetric. */
export type Products = { readonly size: number; readonly count: number; readonly sums: Float64Array }

export const sumProducts = (size: number, rows: Iterable<Float64Array>): Products => {
  const sums = new Float64Array(size * size)
  let count = 0
  for (const row of rows) {
    count++
    for (let i = 0; i < size; i++) {
      const x = row[i]!
      if (x === 0) continue
      for (let j = i; j < size; j++) sums[i * size + j]! += x * row[j]!
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) sums[i * size + j] = sums[j * size + i]!
  return { size, count, sums }
}

/** Coefficients [inputs × outputs] of numbers by index; `inputs` begins with the constant. `penalty`: λ > 0. */
export const ridge = (
  { size, count, sums }: Products,
  inputs: readonly number[],
  outputs: readonly number[],
  penalty: number,
): Float64Array => {
  const n = inputs.length
  const system = new Float64Array(n * n)
  for (const [i, a] of inputs.entries()) {
    for (const [j, b] of inputs.entries()) system[i * n + j] = sums[a * size + b]!
    if (i > 0) system[i * n + i]! += count * penalty
  }
  const lower = cholesky(system, n)
  const coefficients = new Float64Array(n * outputs.length)
  for (const [o, output] of outputs.entries()) {
    const solved = solve(
      lower,
      Float64Array.from(inputs, (a) => sums[a * size + output]!),
    )
    for (let i = 0; i < n; i++) coefficients[i * outputs.length + o] = solved[i]!
  }
  return coefficients
}

/** L with A = L·Lᵀ, of a symmetric positive definite matrix [n × n]. */
const cholesky = (a: Float64Array, n: number): Float64Array => {
  const lower = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!
      if (i === j) assert(sum > 0, 'a penalized system is positive definite', { i, sum })
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / lower[j * n + j]!
    }
  }
  return lower
}

/** x with L·Lᵀ·x = b. */
const solve = (lower: Float64Array, b: Float64Array): Float64Array => {
  const n = b.length
  const x = b.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * n + k]! * x[k]!
    x[i]! /= lower[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!
    x[i]! /= lower[i * n + i]!
  }
  return x
}
