import { describe, expect, test } from 'vitest'
import { probabilitiesOf } from '#shared/bundle/calibration.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { calibrated, expectedCalibrationError, fitTemperatures } from './calibrate.ts'
import { fitThresholds } from './thresholds.ts'
import { topAnswers } from './top-answers.ts'

const layout: TokenLayout = {
  modalities: ['a', 'b'],
  blocks: [{ name: 'all', encoding: 'linear', groups: 2, features: 1 }],
  slots: [0, 1].map((m) => ({ name: `${m}`, modality: m, block: 0, group: m, offset: m })),
  featureCount: 2,
}
const row = (...hidden: readonly number[]): TokenSet => ({
  features: new Float32Array(2),
  hidden: Uint8Array.from(hidden),
})

/** Labels drawn from σ(z), and logits that claim `boast` times as much. */
const boasting = (boast: number, count: number, seed: number) => {
  const random = randomStream(seed, 'boasting')
  const z = Array.from({ length: count }, () => 2 * random.normal())
  return {
    logits: z.map((value) => boast * value),
    labels: Float32Array.from(z, (value) => (random.uniform() < 1 / (1 + Math.exp(-value)) ? 1 : 0)),
  }
}

describe('temperatures', () => {
  test('are recovered for each group, and * lies between', () => {
    const [sure, shy] = [boasting(3, 20_000, 1), boasting(0.5, 20_000, 2)]
    const labels = sure.labels
    const calibration = fitTemperatures(layout, labels, [
      { rows: sure.logits.map(() => row(0, 1)), logits: sure.logits },
    ])
    expect(calibration.map(({ group }) => group)).toEqual(['*', 'a'])
    // The standard error of T at this size is about 0.02·T.
    expect(calibration[1]!.temperature).toBeGreaterThan(2.75)
    expect(calibration[1]!.temperature).toBeLessThan(3.25)
    expect(calibration[0]!.temperature).toBeCloseTo(calibration[1]!.temperature, 10)

    const both = fitTemperatures(layout, Float32Array.of(...sure.labels, ...shy.labels), [
      {
        rows: [...sure.labels].map(() => row(0, 0)).concat([...shy.labels].map(() => row(1, 0))),
        logits: [...sure.logits, ...shy.logits],
      },
    ])
    const of = (group: string) => both.find((entry) => entry.group === group)!.temperature
    expect(of('a+b')).toBeCloseTo(calibration[1]!.temperature, 10)
    expect(of('b')).toBeGreaterThan(0.45)
    expect(of('b')).toBeLessThan(0.55)
    expect(of('*')).toBeGreaterThan(of('b'))
    expect(of('*')).toBeLessThan(of('a+b'))
  })

  test('need 20 observations for a group of their own and skip unknown labels', () => {
    const { logits, labels } = boasting(2, 40, 3)
    const rows = logits.map((_, i) => (i < 19 ? row(0, 1) : row(1, 0)))
    expect(fitTemperatures(layout, labels, [{ rows, logits }]).map(({ group }) => group)).toEqual(['*', 'b'])
    const known = labels.map((label, i) => (i < 30 ? label : Number.NaN))
    expect(fitTemperatures(layout, known, [{ rows, logits }])).toEqual(
      fitTemperatures(layout, known, [{ rows, logits: logits.map((z, i) => (i < 30 ? z : 99)) }]),
    )
    expect(fitTemperatures(layout, labels.fill(Number.NaN), [{ rows, logits }])).toEqual([
      { group: '*', temperature: 1 },
    ])
  })

  test('divide the logits of their group, and lower the calibration error', () => {
    const { logits, labels } = boasting(4, 4000, 4)
    const rows = logits.map(() => row(0, 1))
    const fitted = fitTemperatures(layout, labels, [{ rows, logits }])
    const before = expectedCalibrationError(
      calibrated(layout, [{ group: '*', temperature: 1 }], { rows, logits }),
      labels,
    )
    const after = expectedCalibrationError(calibrated(layout, fitted, { rows, logits }), labels)
    expect(before).toBeGreaterThan(0.1)
    expect(after).toBeLessThan(0.03)
    const halved = [
      { group: '*', temperature: 1 },
      { group: 'a', temperature: 2 },
    ]
    expect([...calibrated(layout, halved, { rows: [row(0, 1), row(1, 0)], logits: [2, 2] })]).toEqual([
      1 / (1 + Math.exp(-1)),
      1 / (1 + Math.exp(-2)),
    ])
  })

  test('the calibration error is the mean gap of the bins', () => {
    // One bin says 0.3 and finds 0.5, the other 0.9 and finds 1; an unknown label counts nowhere.
    const probabilities = [0.3, 0.3, 0.9, 0.9, 0.5]
    expect(expectedCalibrationError(probabilities, Float32Array.of(1, 0, 1, 1, Number.NaN))).toBeCloseTo(0.15, 12)
  })
})

describe('the single-label task', () => {
  const count = 4
  /** Classes drawn from softmax(z), and logits that claim `boast` times as much. */
  const classes = (boast: number, rows: number, seed: number) => {
    const random = randomStream(seed, 'classes')
    const z = Array.from({ length: rows * count }, () => 1.5 * random.normal())
    const labels = new Float32Array(rows * count)
    for (let r = 0; r < rows; r++) {
      const shares = probabilitiesOf(z.slice(r * count, (r + 1) * count), 1, 'single-label')
      let own = 0
      for (let left = random.uniform() - shares[0]!; left >= 0 && own < count - 1; left -= shares[own]!) own++
      labels[r * count + own] = 1
    }
    return {
      labels,
      answers: { rows: Array.from({ length: rows }, () => row(0, 0)), logits: z.map((it) => boast * it) },
    }
  }

  test('has temperatures that are recovered, and probabilities that sum to 1', () => {
    const { labels, answers } = classes(2.5, 8000, 4)
    const fitted = fitTemperatures(layout, labels, [answers], 'single-label')
    expect(fitted.map(({ group }) => group)).toEqual(['*', 'a+b'])
    // The standard error of T at this size is about 0.015·T.
    expect(fitted[1]!.temperature).toBeGreaterThan(2.37)
    expect(fitted[1]!.temperature).toBeLessThan(2.63)
    const probabilities = calibrated(layout, fitted, answers, 'single-label')
    for (let r = 0; r < 100; r++) {
      const own = probabilities.subarray(r * count, (r + 1) * count)
      expect(own.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
    }
    const errorAt = (temperature: number): number => {
      const said = calibrated(layout, [{ group: '*', temperature }], answers, 'single-label')
      const top = topAnswers(said, labels, count)
      return expectedCalibrationError(top.probabilities, top.labels)
    }
    expect(errorAt(fitted[0]!.temperature)).toBeLessThan(0.02)
    expect(errorAt(1)).toBeGreaterThan(0.1)
  })

  test('leaves out observations without a class', () => {
    const { labels, answers } = classes(2, 60, 5)
    const known = labels.map((y, i) => (i < 40 * count ? y : Number.NaN))
    const moved = answers.logits.map((z, i) => (i < 40 * count ? z : 99 * z))
    expect(fitTemperatures(layout, known, [{ ...answers, logits: moved }], 'single-label')).toEqual(
      fitTemperatures(layout, known, [answers], 'single-label'),
    )
    const nothing = fitTemperatures(layout, labels.fill(Number.NaN), [answers], 'single-label')
    expect(nothing).toEqual([{ group: '*', temperature: 1 }])
  })

  test('is as sure as of its most probable class', () => {
    const said = [0.6, 0.4, /**/ 0.3, 0.7, /**/ 0.5, 0.5]
    const { probabilities, labels } = topAnswers(said, Float32Array.of(1, 0, 1, 0, Number.NaN, Number.NaN), 2)
    expect([...probabilities]).toEqual([0.6, 0.7, 0.5])
    expect([...labels]).toEqual([1, 0, Number.NaN])
    // Bins of 1/15: 0.6 is right, 0.7 is wrong.
    expect(expectedCalibrationError(probabilities, labels)).toBeCloseTo((0.4 + 0.7) / 2, 12)
  })

  test('has finite probabilities at hopeless logits', () => {
    expect(probabilitiesOf([800, -800, 0], 0.5, 'single-label')).toEqual([1, 0, 0])
    expect(probabilitiesOf([7, 7], 3, 'single-label')).toEqual([0.5, 0.5])
  })
})

describe('thresholds', () => {
  test('give the best F1, of equal ones the highest, ties taken together', () => {
    const p = [0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.3, 0.2, 0.1]
    // Of the first six five are present: F1 = 2·5/(6 + 5).
    expect(fitThresholds(p, Float32Array.of(1, 1, 0, 1, 1, 1, 0, 0, 0, 0), 1)).toEqual([0.5])
    expect(fitThresholds(p, Float32Array.of(1, 1, 1, 1, 1, 0, 0, 0, 0, 0), 1)).toEqual([0.55])
    expect(fitThresholds([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], Float32Array.of(1, 1, 1, 1, 1, 0, 0, 0, 0, 0), 1)).toEqual([1])
  })

  test('fall back to one half with fewer than five of a class', () => {
    const labels = Float32Array.of(1, 1, 1, 1, 0, 0, 0, 0, 0, 0)
    expect(
      fitThresholds(
        [...labels].map((y) => 0.2 + 0.1 * y),
        labels,
        1,
      ),
    ).toEqual([0.5])
  })
})
