import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { softTargets } from './soft-targets.ts'

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z))
const WEIGHTS = { positive: Float32Array.of(4, 1.25, 0), negative: Float32Array.of(4 / 3, 5, 0) }
const LABELS = Float32Array.of(1, 0, 0, 0, Number.NaN, 1)
const LOGITS = Float32Array.of(0.5, -2, 3, 1, 1, -1)

const taught = (share: number) => softTargets(LABELS, LOGITS, WEIGHTS, share, 'multi-label')

describe('multi-label', () => {
  test('the answer is a probability of the training part: the logit without the weights of the loss', () => {
    // σ(0.5 − ln 3), σ(−2 + ln 4), σ(1 − ln 3)
    const expected = [0.35466124, 0.35121436, 0, 0.47536689, Number.NaN, 1]
    const told = (values: Iterable<number>) => Array.from(values, (y) => y.toFixed(6))
    expect(told(taught(1))).toEqual(told(expected))
    expect(told(taught(0.25))).toEqual(told(expected.map((t, i) => 0.75 * LABELS[i]! + 0.25 * t)))
  })

  test('unknown labels stay unknown, and labels that cannot be learned stay what they are', () => {
    expect(taught(0.5)[4]).toBeNaN()
    expect([taught(1)[2], taught(1)[5]]).toEqual([0, 1])
  })

  test('whoever sees everything already gives the answer that the weighted loss asks for', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -6, max: 6, noNaN: true }),
        fc.double({ min: 1.1, max: 200, noNaN: true }),
        (z, a) => {
          const weights = { positive: Float32Array.of(a), negative: Float32Array.of(a / (a - 1)) }
          const [t] = softTargets(Float32Array.of(0), Float32Array.of(z), weights, 1, 'multi-label')
          // d/dz of t·a·softplus(−z) + (1 − t)·b·softplus(z), relative to its two terms; t is rounded to float32.
          const [up, down] = [t! * weights.positive[0]! * sigmoid(-z), (1 - t!) * weights.negative[0]! * sigmoid(z)]
          expect(Math.abs(down - up)).toBeLessThan(1e-3 * (down + up))
        },
      ),
    )
  })
})

test('single-label: the softmax, and an observation without a class stays without', () => {
  const nothing = { positive: new Float32Array(3), negative: new Float32Array(3) }
  const labels = Float32Array.of(0, 1, 0, Number.NaN, Number.NaN, Number.NaN, 0, 0, 0)
  const logits = Float32Array.of(Math.log(2), 0, Math.log(5), 1, 2, 3, 900, 1, 2)
  const targets = [...softTargets(labels, logits, nothing, 0.4, 'single-label')]
  for (const [c, expected] of [0.4 * (2 / 8), 0.6 + 0.4 * (1 / 8), 0.4 * (5 / 8)].entries()) {
    expect(targets[c]).toBeCloseTo(expected, 6)
  }
  expect(targets.slice(3)).toEqual([Number.NaN, Number.NaN, Number.NaN, 0, 0, 0])
  // Logits far from zero do not overflow.
  const far = softTargets(Float32Array.of(0, 1), Float32Array.of(900, 100), nothing, 1, 'single-label')
  expect(far.some(Number.isNaN)).toBe(false)
})
