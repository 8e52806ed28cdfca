import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FLOOR, type ImbalanceOptions, imbalanceOf, LN_W_LIMIT, NO_SCORES, withScores } from './imbalance.ts'

const ONE: ImbalanceOptions = { lambdaScore: 1, lambdaSpeed: 1 }
const THREE: ImbalanceOptions = { lambdaScore: 3, lambdaSpeed: 3 }

/** After two epochs whose scores are s − d and s. */
const after = (s: readonly number[], d: readonly number[], options: ImbalanceOptions = ONE) =>
  imbalanceOf({ previous: s.map((score, m) => score - d[m]!), last: s }, options, s.length)

const digits = (values: readonly number[], count = 6): readonly string[] => values.map((x) => x.toFixed(count))
const meanOfP = (lnW: number, kappa = 10): number => {
  const w = Math.exp(lnW)
  return (w / (w + kappa) + (kappa * w) / (1 + kappa * w)) / 2
}

test('the worked example, to six digits', () => {
  const example = after([0.92, 0.88, 0.7], [0.001, 0.004, 0.02])
  expect(digits(example.scoreRatio)).toEqual(['1.111727', '1.063391', '0.845880'])
  expect(digits(example.speedRatio)).toEqual(['0.232079', '0.928318', '4.641589'])
  expect(digits(example.lnW.map(Math.exp))).toEqual(['4.790288', '1.145504', '0.182239'])
  expect(digits(example.lnW)).toEqual(['1.566591', '0.135844', '-1.702435'])
  expect(digits(example.lnW.map((ln) => meanOfP(ln)))).toEqual(['0.651716', '0.511244', '0.331794'])
  const steep = after([0.92, 0.88, 0.7], [0.001, 0.004, 0.02], THREE)
  expect(Math.exp(steep.lnW[0]!)).toBeCloseTo(109.9221, 4)
  expect(Math.exp(steep.lnW[1]!)).toBeCloseTo(1.503106, 6)
  expect(Math.exp(steep.lnW[2]!)).toBeCloseTo(0.006052372, 9)
  expect(digits(steep.lnW.map((ln) => meanOfP(ln)))).toEqual(['0.957852', '0.534145', '0.028837'])
  expect(example.clamped).toEqual([false, false, false])
})

test('nothing acts before there are scores, then the score alone, then both', () => {
  const first = imbalanceOf(NO_SCORES, ONE, 2)
  expect(first).toEqual({
    scoreRatio: [1, 1],
    speedRatio: [1, 1],
    lnW: [0, 0],
    scoreFloored: [false, false],
    speedFloored: [false, false],
    clamped: [false, false],
  })
  const history = withScores(NO_SCORES, [0.9, 0.4])
  const second = imbalanceOf(history, ONE, 2)
  expect(digits(second.scoreRatio)).toEqual(['1.500000', '0.666667'])
  expect(second.speedRatio).toEqual([1, 1])
  const third = imbalanceOf(withScores(history, [0.92, 0.48]), ONE, 2)
  expect(digits(third.speedRatio)).toEqual(['0.500000', '2.000000'])
})

const scores = fc.array(fc.double({ min: 0.01, max: 0.99, noNaN: true }), { minLength: 2, maxLength: 6 })
const speeds = (count: number) =>
  fc.array(fc.double({ min: 0.002, max: 0.2, noNaN: true }), { minLength: count, maxLength: count })
const cases = scores.chain((s) => speeds(s.length).map((d) => ({ s, d })))

const closeTo = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length)
  for (const [m, value] of actual.entries()) expect(value).toBeCloseTo(expected[m]!, 8)
}

test('the ratios and weights multiply to 1', () => {
  fc.assert(
    fc.property(cases, ({ s, d }) => {
      const { scoreRatio, speedRatio, lnW, clamped } = after(s, d)
      for (const ratios of [scoreRatio, speedRatio]) {
        expect(ratios.reduce((product, ratio) => product * ratio, 1)).toBeCloseTo(1, 8)
      }
      if (!clamped.includes(true)) expect(lnW.reduce((sum, ln) => sum + ln, 0)).toBeCloseTo(0, 8)
    }),
  )
})

test('equal modalities, or scores in proportion to speeds, lean nowhere', () => {
  fc.assert(
    fc.property(cases, fc.double({ min: 0.5, max: 5, noNaN: true }), ({ s, d }, lambda) => {
      const options = { lambdaScore: lambda, lambdaSpeed: lambda }
      const even = s.map(() => 0.7)
      closeTo(
        after(
          even,
          s.map(() => 0.05),
          options,
        ).lnW,
        s.map(() => 0),
      )
      closeTo(
        after(
          d.map((x) => x * 4),
          d,
          options,
        ).lnW,
        s.map(() => 0),
      )
    }),
  )
})

test('a common factor changes nothing, and a permutation permutes', () => {
  fc.assert(
    fc.property(cases, ({ s, d }) => {
      const { lnW } = after(s, d)
      closeTo(
        after(
          s,
          d.map((x) => x / 1.9),
        ).lnW,
        lnW,
      )
      closeTo(
        after(
          s.map((x) => x * 1.7),
          d,
        ).lnW,
        lnW,
      )
      closeTo(after([...s].reverse(), [...d].reverse()).lnW, [...lnW].reverse())
    }),
  )
})

test('a stronger modality weighs more, one that changes faster weighs less; an exponent of 0 turns its ratio off', () => {
  fc.assert(
    fc.property(cases, ({ s, d }) => {
      const { lnW, scoreRatio, speedRatio } = after(s, d)
      const stronger = after([s[0]! * 1.1, ...s.slice(1)], d)
      const faster = after(s, [d[0]! * 1.1, ...d.slice(1)])
      // ln w moves by ln 1.1 less its share in the mean, as far as the clamp lets it.
      const step = Math.log(1.1) * (1 - 1 / s.length)
      const clamped = (ln: number): number => Math.min(Math.max(ln, -LN_W_LIMIT), LN_W_LIMIT)
      const free = Math.log(scoreRatio[0]!) - Math.log(speedRatio[0]!)
      expect(lnW[0]).toBeCloseTo(clamped(free), 6)
      expect(stronger.lnW[0]).toBeCloseTo(clamped(free + step), 6)
      expect(faster.lnW[0]).toBeCloseTo(clamped(free - step), 6)
      closeTo(after(s, d, { lambdaScore: 1, lambdaSpeed: 0 }).lnW, scoreRatio.map(Math.log))
      closeTo(
        after(s, d, { lambdaScore: 0, lambdaSpeed: 1 }).lnW,
        speedRatio.map((r) => -Math.log(r)),
      )
      closeTo(
        after(s, d, { lambdaScore: 0, lambdaSpeed: 0 }).lnW,
        s.map(() => 0),
      )
    }),
  )
})

test('floors and the clamp keep weights finite, and say where they were active', () => {
  const flat = after([0.9, 0.8], [0, 0.05])
  expect(flat.speedFloored).toEqual([true, false])
  expect(flat.lnW.every(Number.isFinite)).toBe(true)
  closeTo(flat.lnW, after([0.9, 0.8], [FLOOR, 0.05]).lnW)
  const none = after([0, 0.8], [0.1, 0.1])
  expect(none.scoreFloored).toEqual([true, false])
  const freak = after([0.9, 0.9], [0, 0.5], THREE)
  expect(freak.clamped).toEqual([true, true])
  expect(freak.lnW).toEqual([LN_W_LIMIT, -LN_W_LIMIT])
  expect(() => withScores(NO_SCORES, [0.5, Number.NaN])).toThrow('scores are finite')
})

const histories = fc.integer({ min: 1, max: 5 }).chain((count) =>
  fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: count, maxLength: count }), {
    minLength: 1,
    maxLength: 8,
  }),
)

test('smoothed scores are the exponential average from the first on; no smoothing remembers them as they are', () => {
  const remembered = (epochs: readonly (readonly number[])[], smoothing?: number) =>
    epochs.reduce((history, s) => withScores(history, s, smoothing), NO_SCORES)
  fc.assert(
    fc.property(histories, fc.double({ min: 0, max: 0.99, noNaN: true }), (epochs, a) => {
      const average = (upTo: number, m: number): number =>
        upTo === 0 ? epochs[0]![m]! : a * average(upTo - 1, m) + (1 - a) * epochs[upTo]![m]!
      const { previous, last } = remembered(epochs, a)
      const end = epochs.length - 1
      closeTo(
        last!,
        epochs[end]!.map((_, m) => average(end, m)),
      )
      if (end === 0) expect(previous).toBeNull()
      else
        closeTo(
          previous!,
          epochs[end]!.map((_, m) => average(end - 1, m)),
        )
      const plain = { previous: epochs.at(-2) ?? null, last: epochs.at(-1)! }
      expect(remembered(epochs)).toEqual(plain)
      expect(remembered(epochs, 0)).toEqual(plain)
    }),
  )
})
