import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { type Answers, type ResampledChange, resampleChange, simultaneousChanges } from './paired-change.ts'

const OPTIONS = { task: 'multi-label', seed: 1, resamples: 400 } as const

/** One label: logits rise with it by `signal` standard deviations. */
const answersOf = (labels: Float32Array, signal: number, seed: number): Answers => {
  const random = randomStream(seed, 'answers')
  return { logits: labels.map((y) => signal * y + random.normal()), labels, count: 1, evaluated: [0] }
}
const labelsOf = (count: number) => Float32Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : 0))

describe('resampled changes', () => {
  test('of a model against itself are zero in every resample', () => {
    const some = answersOf(labelsOf(60), 1, 1)
    const { before, after, differences } = resampleChange(some, some, OPTIONS)
    expect(after).toBe(before)
    expect(differences).toHaveLength(400)
    expect(differences.every((it) => it === 0)).toBe(true)
    expect(simultaneousChanges([{ before, after, differences }])).toEqual([{ before, after, low: 0, high: 0 }])
  })

  test('leave out what two models share: the interval is narrower than that of either score', () => {
    const labels = labelsOf(200)
    const old = answersOf(labels, 1, 1)
    const random = randomStream(9, 'little')
    const next = { ...old, logits: Float32Array.from(old.logits, (z) => z + 0.1 * random.normal()) }
    const apart = { ...answersOf(labels, 1, 2) }
    const widthOf = (other: Answers): number => {
      const [change] = simultaneousChanges([resampleChange(old, other, OPTIONS)])
      return change!.high - change!.low
    }
    expect(widthOf(next)).toBeLessThan(widthOf(apart) / 3)
  })

  test('that nobody could measure are no numbers: no label with both answers, a logit that is none', () => {
    const good = answersOf(labelsOf(20), 1, 1)
    const none = { ...good, evaluated: [] }
    const broken = { ...good, logits: good.logits instanceof Float32Array ? good.logits.with(3, Number.NaN) : [] }
    for (const bad of [none, broken]) {
      const [change] = simultaneousChanges([resampleChange(good, bad, OPTIONS)])
      expect(change).toEqual({
        before: expect.closeTo(resampleChange(good, good, OPTIONS).before, 12),
        after: Number.NaN,
        low: Number.NaN,
        high: Number.NaN,
      })
    }
  })

  test('are of Top-1 in the single-label task', () => {
    const labels = Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1)
    const old: Answers = { logits: [1, 0, 1, 0, 0, 1, 0, 1], labels, count: 2, evaluated: [0, 1] }
    const next: Answers = { ...old, logits: [1, 0, 1, 0, 0, 1, 1, 0] }
    expect(resampleChange(old, next, { ...OPTIONS, task: 'single-label' })).toMatchObject({ before: 1, after: 0.75 })
  })
})

const anyDifferences = fc.array(
  fc.oneof({ weight: 9, arbitrary: fc.double({ min: -1, max: 1, noNaN: true }) }, fc.constant(Number.NaN)),
  { minLength: 40, maxLength: 40 },
)
const resampledOf = (differences: readonly number[]): ResampledChange => ({ before: 0.5, after: 0.6, differences })

describe('simultaneous intervals', () => {
  test('surround the difference and hold all changes of 95 % of the resamples', () =>
    fc.assert(
      fc.property(fc.array(anyDifferences, { minLength: 1, maxLength: 5 }), (list) => {
        const changes = simultaneousChanges(list.map(resampledOf))
        fc.pre(changes.every(({ low }) => !Number.isNaN(low)))
        const means = list.map((it) => {
          const usable = it.filter((difference) => !Number.isNaN(difference))
          return usable.reduce((sum, difference) => sum + difference, 0) / usable.length
        })
        let held = 0
        for (let draw = 0; draw < 40; draw++) {
          const isHeld = changes.every(({ low, high }, s) => {
            const difference = list[s]![draw]!
            // Intervals are centred on the difference that was measured.
            return Number.isNaN(difference) || Math.abs(difference - means[s]!) <= (high - low) / 2 + 1e-9
          })
          if (isHeld) held++
        }
        expect(held).toBeGreaterThanOrEqual(38)
        for (const { low, high } of changes) expect((low + high) / 2).toBeCloseTo(0.1, 12)
      }),
    ))

  test('are wider with more changes, never narrower', () =>
    fc.assert(
      fc.property(anyDifferences, anyDifferences, (one, other) => {
        const [alone] = simultaneousChanges([resampledOf(one)])
        const [together] = simultaneousChanges([resampledOf(one), resampledOf(other)])
        fc.pre(!Number.isNaN(alone!.low) && !Number.isNaN(together!.low))
        expect(together!.high - together!.low).toBeGreaterThanOrEqual(alone!.high - alone!.low - 1e-12)
      }),
    ))

  test('need half of the resamples; a change without one harms no other', () => {
    const some = Array.from({ length: 40 }, (_, i) => Math.sin(i))
    const half = some.map((it, i) => (i % 2 === 0 ? it : Number.NaN))
    const less = half.with(0, Number.NaN)
    expect(simultaneousChanges([resampledOf(half)])[0]!.low).not.toBeNaN()
    expect(simultaneousChanges([resampledOf(less)])[0]!.low).toBeNaN()
    expect(simultaneousChanges([resampledOf(some), resampledOf(less)])[0]).toEqual(
      simultaneousChanges([resampledOf(some)])[0],
    )
    expect(simultaneousChanges([])).toEqual([])
  })

  test('of a change that never varies are a point', () => {
    const steady = resampledOf(new Array(40).fill(0.1))
    const moving = resampledOf(Array.from({ length: 40 }, (_, i) => Math.sin(i)))
    const [point, interval] = simultaneousChanges([steady, moving])
    expect(point!.high - point!.low).toBeLessThan(1e-9)
    expect(interval).toEqual(simultaneousChanges([moving])[0])
  })
})
