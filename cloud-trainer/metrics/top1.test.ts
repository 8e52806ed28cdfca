import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classOf, top1, topClass } from './top1.ts'

describe('Top-1', () => {
  test('is the share of observations whose largest logit is their class', () => {
    const labels = Float32Array.of(1, 0, 0, /**/ 0, 1, 0, /**/ 0, 0, 1, /**/ 0, 1, 0)
    const logits = [2, 1, 0, /**/ 0, -1, -2, /**/ 0, 0, 9, /**/ -5, -3, -4]
    expect(top1(logits, labels, 3)).toBe(0.75)
  })

  test('gives a tie to the lowest class', () => {
    const tied = [1, 1, 1]
    expect(topClass(tied, 0, 3)).toBe(0)
    expect(topClass([0, 7, 7], 0, 3)).toBe(1)
    expect(top1(tied, Float32Array.of(0, 0, 1), 3)).toBe(0)
    expect(top1(tied, Float32Array.of(1, 0, 0), 3)).toBe(1)
  })

  test('leaves out observations without a known class, and knows nothing without any', () => {
    const nan = Number.NaN
    const labels = Float32Array.of(nan, nan, /**/ 0, 0, /**/ nan, 1, /**/ 1, 0)
    expect([0, 1, 2, 3].map((row) => classOf(labels, row, 2))).toEqual([-1, -1, 1, 0])
    expect(top1([0, 1, /**/ 0, 1, /**/ 0, 1, /**/ 0, 1], labels, 2)).toBe(0.5)
    expect(top1([0, 1], Float32Array.of(nan, nan), 2)).toBeNaN()
  })

  test('takes a logit that is no number for the least of all', () => {
    expect(topClass([Number.NaN, -3, Number.NaN], 0, 3)).toBe(1)
    expect(topClass([Number.NaN, Number.NEGATIVE_INFINITY], 0, 2)).toBe(1)
    expect(topClass([Number.NaN, Number.NaN], 0, 2)).toBe(-1)
  })

  test('does not change when all logits of an observation move alike', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 4, maxLength: 4 }), fc.nat(3)), {
          minLength: 1,
        }),
        fc.integer({ min: -99, max: 99 }),
        (rows, move) => {
          const labels = Float32Array.from(rows.flatMap(([, own]) => [0, 1, 2, 3].map((c) => (c === own ? 1 : 0))))
          const logits = rows.flatMap(([values]) => values)
          const moved = logits.map((z) => z + move)
          expect(top1(moved, labels, 4)).toBe(top1(logits, labels, 4))
        },
      ),
    ))
})
