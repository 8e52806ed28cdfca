import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { bootstrapP, fewestResamples, holm } from './significance.ts'

describe('p of a paired bootstrap', () => {
  test('is twice the share on the far side of 0, and never 0', () => {
    expect(bootstrapP([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBeCloseTo(0.2, 12)
    expect(bootstrapP([-1, 2, 3, 4, 5, 6, 7, 8, 9])).toBeCloseTo(0.4, 12)
    expect(bootstrapP([1, -1, 1, -1])).toBe(1)
    expect(bootstrapP([0, 0, 0])).toBe(1)
    expect(bootstrapP([Number.NaN, 1, 1, 1])).toBe(0.5)
    expect(bootstrapP([])).toBe(1)
  })

  test('does not care for the sign of the difference', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 5 })), (differences) => {
        expect(bootstrapP(differences.map((value) => -value))).toBe(bootstrapP(differences))
      }),
    ))

  test('is below 0.05 about once in twenty when there is no difference', () => {
    const random = randomStream(11, 'size')
    const worlds = 400
    let rejected = 0
    for (let world = 0; world < worlds; world++) {
      const sample = Array.from({ length: 60 }, () => random.normal())
      const means = Array.from({ length: 199 }, () => {
        let sum = 0
        for (let i = 0; i < sample.length; i++) sum += sample[random.index(sample.length)]!
        return sum / sample.length
      })
      if (bootstrapP(means) <= 0.05) rejected++
    }
    // 20 ± 5·√(400·0.05·0.95) = 20 ± 21.8, and the test must not be dead.
    expect(rejected).toBeGreaterThan(5)
    expect(rejected).toBeLessThan(42)
  })
})

describe('Holm', () => {
  test('multiplies the smallest by all, the next by one less, and never falls', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => p.toFixed(3))).toEqual(['0.030', '0.060', '0.060', '0.020'])
    expect(holm([0.6, 0.9])).toEqual([1, 1])
    expect(holm([])).toEqual([])
  })

  test('keeps the order and lies between the plain p and Bonferroni', () =>
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 }), (pValues) => {
        const adjusted = holm(pValues)
        for (const [i, p] of pValues.entries()) {
          expect(adjusted[i]).toBeGreaterThanOrEqual(p)
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * pValues.length) + 1e-12)
          for (const [j, other] of pValues.entries())
            if (p < other) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]!)
        }
      }),
    ))

  test('needs so many resamples before it can find anything', () => {
    expect(fewestResamples(18, 0.05)).toBe(719)
    expect(holm([bootstrapP(new Array(719).fill(1)), ...new Array(17).fill(1)])[0]).toBeLessThanOrEqual(0.05)
    expect(holm([bootstrapP(new Array(718).fill(1)), ...new Array(17).fill(1)])[0]).toBeGreaterThan(0.05)
  })
})
