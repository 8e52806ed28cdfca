import fc from 'fast-check'
import { expect, test } from 'vitest'
import { opmRates } from './opm.ts'

const HALVES = { rate: 0.5, lambda: 0.5 }
const digits = (values: readonly number[]): readonly string[] => values.map((x) => x.toFixed(6))

test('the worked example, to six digits', () => {
  expect(digits(opmRates([0.9, 0.8, 0.55], HALVES))).toEqual(['0.590825', '0.542512', '0.000000'])
})

/** Slow and obvious: ρ as it is printed. */
const ratioOf = (s: readonly number[], m: number): number => {
  const raised = s.map((score) => Math.max(score, 1e-3))
  let sum = 0
  for (const [j, other] of raised.entries()) if (j !== m) sum += raised[m]! / other
  return sum / (s.length - 1)
}

/** No ρ so near to 1, where q jumps, that the last bit decides. */
const scores = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 })
  .filter((s) => s.every((_, m) => Math.abs(ratioOf(s, m) - 1) > 1e-9))

test('only what is stronger than the others on average is hidden, by q_base · (1 + λ · tanh(ρ − 1))', () => {
  fc.assert(
    fc.property(scores, fc.double({ min: 0, max: 1, noNaN: true }), (s, lambda) => {
      for (const [m, q] of opmRates(s, { rate: 0.5, lambda }).entries()) {
        const ratio = ratioOf(s, m)
        expect(q).toBeCloseTo(ratio > 1 ? 0.5 * (1 + lambda * Math.tanh(ratio - 1)) : 0, 12)
        expect(q).toBeLessThanOrEqual(0.5 * (1 + lambda))
      }
    }),
  )
})

test('the weakest modality is never hidden, so the input is never empty', () => {
  fc.assert(
    fc.property(scores, (s) => {
      const rates = opmRates(s, HALVES)
      expect(rates[s.indexOf(Math.min(...s))]).toBe(0)
    }),
  )
})

test('equal scores hide nothing, a permutation permutes, and the floor stands for no score', () => {
  fc.assert(
    fc.property(scores, (s) => {
      expect(opmRates(new Array<number>(s.length).fill(s[0]!), HALVES)).toEqual(s.map(() => 0))
      const reversed = opmRates([...s].reverse(), HALVES)
      for (const [m, q] of opmRates(s, HALVES).entries()) expect(reversed[s.length - 1 - m]).toBeCloseTo(q, 12)
    }),
  )
  expect(opmRates([0.9, 0, 0.5], HALVES)).toEqual(opmRates([0.9, 1e-3, 0.5], HALVES))
  expect(opmRates([0.9], HALVES)).toEqual([0])
})

test('a stronger modality is hidden more, its rivals no more', () => {
  fc.assert(
    fc.property(scores, (s) => {
      const before = opmRates(s, HALVES)
      const after = opmRates([s[0]! + 0.1, ...s.slice(1)], HALVES)
      expect(after[0]).toBeGreaterThanOrEqual(before[0]! - 1e-12)
      for (const m of s.keys()) if (m > 0) expect(after[m]).toBeLessThanOrEqual(before[m]! + 1e-12)
    }),
  )
})
