import { expect, test } from 'vitest'
import { erf } from './erf.ts'

/** From the C library's erf. The series ends at 3, where the continued fraction begins. */
const VALUES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0.02, 0.022564574691844943],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [2.9999, 0.9999778955735178],
  [3, 0.9999779095030014],
  [3.0001, 0.9999779234241298],
  [4, 0.9999999845827421],
  [7, 1],
]

test('it is the error function to the last digits, and odd', () => {
  for (const [x, expected] of VALUES) {
    expect(Math.abs(erf(x) - expected)).toBeLessThan(1e-15)
    expect(erf(-x)).toBe(-erf(x))
  }
  expect(erf(Number.NaN)).toBeNaN()
})
