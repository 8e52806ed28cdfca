import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { calibrated, expectedCalibrationError, fitTemperatures, openReliability } from './calibrate.ts'
import { calibrationErrors, halvedErrors } from './calibration-errors.ts'
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
const LABELS = 3

/** Answers of `observations`; logits claim `boast` times what their labels are drawn from. */
const answersOf = (boast: number, labels: Float32Array, z: readonly number[], shown: TokenSet) => ({
  rows: Array.from({ length: labels.length / LABELS }, () => shown),
  logits: z.map((value) => boast * value),
})

const example = (observations: number, seed: number) => {
  const random = randomStream(seed, 'errors')
  const z = Array.from({ length: observations * LABELS }, () => 2 * random.normal())
  const labels = Float32Array.from(z, (value) => (random.uniform() < 1 / (1 + Math.exp(-value)) ? 1 : 0))
  const answers = [
    answersOf(3, labels, z, row(0, 1)),
    answersOf(1, labels, z, row(0, 0)),
    answersOf(0.5, labels, z, row(1, 0)),
    // A part of "b": another answer to the same group.
    answersOf(0.5, labels, z, row(1, 0)),
    answersOf(9, labels, z, row(1, 1)),
  ]
  return { layout, labels, answers, task: 'multi-label' as const }
}

describe('errors of groups', () => {
  const examples = example(2000, 1)
  const { labels, answers } = examples
  const calibration = fitTemperatures(layout, labels, answers)
  const errors = calibrationErrors(calibration, examples)

  test('are those of their answers, without and with their temperature; what shows nothing is no group', () => {
    expect(errors.map(({ group, observations }) => [group, observations])).toEqual([
      ['a', 2000],
      ['a+b', 2000],
      ['b', 4000],
    ])
    for (const [i, at] of [0, 1, 2].entries()) {
      const errorAt = (some: typeof calibration) =>
        expectedCalibrationError(calibrated(layout, some, answers[at]!), labels)
      expect(errors[i]!.before).toBeCloseTo(errorAt([{ group: '*', temperature: 1 }]), 12)
      expect(errors[i]!.after).toBeCloseTo(errorAt(calibration), 12)
    }
    const [boasting, honest, shy] = errors
    expect(boasting!.before).toBeGreaterThan(0.05)
    expect(shy!.before).toBeGreaterThan(0.05)
    expect(honest!.before).toBeLessThan(0.02)
    for (const { after } of errors) expect(after).toBeLessThan(0.02)
  })

  test('leave out unknown labels, and groups of fewer than 20 answers or with nothing known', () => {
    const few = example(19, 2)
    expect(calibrationErrors(calibration, few).map(({ group }) => group)).toEqual(['b'])
    const unknown = { ...examples, labels: labels.map(() => Number.NaN) }
    expect(calibrationErrors(calibration, unknown)).toEqual([])
    const half = { ...examples, labels: labels.map((label, i) => (i % 2 === 0 ? label : Number.NaN)) }
    const moved = answers.map(({ rows, logits }) => ({ rows, logits: logits.map((z, i) => (i % 2 === 0 ? z : 99)) }))
    expect(calibrationErrors(calibration, { ...half, answers: moved })).toEqual(calibrationErrors(calibration, half))
  })

  test('of the single-label task are those of what is said first', () => {
    const random = randomStream(3, 'classes')
    const classes = new Float32Array(200 * LABELS)
    for (let r = 0; r < 200; r++) if (r % 10 !== 0) classes[r * LABELS + random.index(LABELS)] = 1
    const one = { rows: Array.from({ length: 200 }, () => row(0, 0)), logits: Array.from(classes, random.normal) }
    const [error] = calibrationErrors(calibration, { layout, labels: classes, answers: [one], task: 'single-label' })
    const said = topAnswers(calibrated(layout, calibration, one, 'single-label'), classes, LABELS)
    expect(error!.after).toBeCloseTo(expectedCalibrationError(said.probabilities, said.labels), 12)
    expect(error!.observations).toBe(200)
  })
})

test('each half is judged with the temperatures of the other', () => {
  const whole = example(400, 4)
  // The second half of the observations are those with odd numbers: their labels say the opposite.
  const labels = whole.labels.map((label, i) => (Math.floor(i / LABELS) % 2 === 0 ? label : 1 - label))
  const turned = { ...whole, labels }
  const [own] = halvedErrors(turned)
  // What the honest half taught makes the other one surer of the wrong, and the other way round.
  const pick =
    (parity: number) =>
    <T>(_: T, i: number) =>
      Math.floor(i / LABELS) % 2 === parity
  const half = (parity: number) => ({
    labels: labels.filter(pick(parity)),
    answers: whole.answers.map(({ rows, logits }) => ({
      rows: rows.filter((_, i) => i % 2 === parity),
      logits: logits.filter(pick(parity)),
    })),
  })
  const expected = [0, 1].map((parity) => {
    const taught = fitTemperatures(layout, half(1 - parity).labels, half(1 - parity).answers)
    return calibrated(layout, taught, half(parity).answers[0]!)
  })
  const sums = openReliability()
  for (const parity of [0, 1]) {
    for (const [i, p] of expected[parity]!.entries()) sums.add(p, half(parity).labels[i]!)
  }
  expect(own!.after).toBeCloseTo(sums.error(), 12)
  expect(own!.observations).toBe(400)
})

test('the chance level is what honest probabilities show on average', () => {
  const random = randomStream(5, 'chance')
  for (const count of [60, 1000]) {
    const said = Array.from({ length: count }, () => random.uniform())
    const repeats = Array.from({ length: 400 }, () => {
      const sums = openReliability()
      for (const p of said) sums.add(p, random.uniform() < p ? 1 : 0)
      return sums
    })
    const mean = repeats.reduce((sum, own) => sum + own.error(), 0) / repeats.length
    const chance = repeats[0]!.chance()
    // The normal approximation is a little high where a bin holds few answers.
    expect(mean / chance).toBeGreaterThan(0.93)
    expect(mean / chance).toBeLessThan(1.05)
  }
})
