import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { macroAuc } from '../metrics/auc.ts'
import { standardSubsets } from '../model/subset.ts'
import type { TokenRows } from '../model/token-rows.ts'
import { macroAucInterval } from './bootstrap.ts'
import { evaluateSubsets, labelsInAllParts } from './evaluate.ts'
import { subsetsToMeasure } from './subsets.ts'

/** Modalities of the given numbers of tokens, one feature each. */
const layoutOf = (...tokens: readonly number[]): TokenLayout => ({
  modalities: tokens.map((_, m) => `m${m}`),
  blocks: [{ name: 'all', encoding: 'linear', groups: tokens.reduce((sum, n) => sum + n, 0), features: 1 }],
  slots: tokens.flatMap((count, modality) =>
    Array.from({ length: count }, (_, i) => ({ name: `m${modality}.${i}`, modality, block: 0, group: 0, offset: 0 })),
  ),
  featureCount: 1,
})

const row = (...hidden: readonly number[]): TokenSet => ({
  features: new Float32Array(1),
  hidden: Uint8Array.from(hidden),
})

describe('macro AUC with its interval', () => {
  const options = { count: 1, evaluated: [0], seed: 1, resamples: 0 }

  test('is that of the definition, without resamples and with ties', () => {
    expect(macroAucInterval([0.1, 0.5, 0.7, 0.8], Float32Array.of(1, 0, 1, 1), options)).toEqual({
      value: 2 / 3,
      low: 2 / 3,
      high: 2 / 3,
    })
    expect(macroAucInterval([1, 1, 1, 0], Float32Array.of(1, 0, 1, 0), options).value).toBe(0.75)
    expect(macroAucInterval([1, 1, 9, 1, 0], Float32Array.of(1, 0, Number.NaN, 1, 0), options).value).toBe(0.75)
  })

  test('agrees with the plain macro AUC on any scores', () => {
    const cells = fc.array(
      fc.record({ score: fc.integer({ min: 0, max: 5 }), label: fc.constantFrom(0, 1, Number.NaN) }),
    )
    fc.assert(
      fc.property(cells, (drawn) => {
        // Two columns, each of which certainly has both classes.
        const all = [...drawn, ...drawn.slice(0, drawn.length % 2)]
        const scores = [3, 2, 1, 4, ...all.map(({ score }) => score)]
        const labels = Float32Array.of(1, 0, 0, 1, ...all.map(({ label }) => label))
        const { value } = macroAucInterval(scores, labels, { ...options, count: 2, evaluated: [0, 1] })
        expect(value).toBeCloseTo(macroAuc(scores, labels, 2, [0, 1]), 12)
      }),
    )
  })

  test('covers the true AUC about as often as it says', () => {
    // Scores of positives N(1, 1), of negatives N(0, 1): AUC = Φ(1/√2) = 0.76025.
    const random = randomStream(7, 'coverage')
    const worlds = 150
    let covered = 0
    for (let world = 0; world < worlds; world++) {
      const labels = Float32Array.from({ length: 120 }, (_, i) => i % 2)
      const scores = Array.from(labels, (y) => y + random.normal())
      const { low, high } = macroAucInterval(scores, labels, { ...options, seed: world, resamples: 200 })
      if (low <= 0.76025 && 0.76025 <= high) covered++
    }
    // 95 % of 150 within five standard errors (√(150·0.95·0.05) = 2.67), less two points that the percentile method is known to lack.
    expect(covered).toBeGreaterThan(126)
    expect(covered).toBeLessThan(150)
  })

  test('draws the same observations for the same seed, and observations as wholes', () => {
    const labels = Float32Array.of(1, 1, 0, 0, 1, 1, 0, 0, 1, 0)
    const scores = [5, 5, 1, 1, 2, 2, 3, 3, 4, 0]
    const once = macroAucInterval(scores, labels, { count: 2, evaluated: [0, 1], seed: 3, resamples: 50 })
    expect(macroAucInterval(scores, labels, { count: 2, evaluated: [0, 1], seed: 3, resamples: 50 })).toEqual(once)
    expect(once.low).toBeLessThan(once.value)
  })
})

describe('measuring subsets', () => {
  const layout = layoutOf(1, 1)
  const examples = {
    ids: ['a', 'b', 'c', 'd'],
    rows: [row(0, 0), row(0, 0), row(0, 1), row(0, 0)],
    labels: Float32Array.of(1, 0, 1, 0),
  }
  /** Knows the answer where the second modality shows, guesses by position where the first does. */
  const predict = async (rows: TokenRows) =>
    Array.from(rows, ({ hidden }, r) => (hidden[1] === 0 ? examples.labels[r]! : hidden[0] === 0 ? r : 0))

  test('hides everything outside of each and names the scores', async () => {
    const { scores, average, seen } = await evaluateSubsets(predict, examples, standardSubsets(layout), {
      seed: 1,
      resamples: 0,
    })
    expect(scores.map(({ subset, group, value }) => [subset, group, value])).toEqual([
      ['m0', 'single', 0.25],
      ['m1', 'single', 0.75],
      ['all', 'pair', 1],
    ])
    expect(average).toBeCloseTo(2 / 3, 12)
    expect(seen.map(({ rows }) => Array.from(rows, ({ hidden }) => hidden.join('')))).toEqual([
      ['01', '01', '01', '01'],
      ['10', '10', '11', '10'],
      ['00', '00', '01', '00'],
    ])
  })

  test('measures nothing where no label has both classes', async () => {
    const same = { ...examples, labels: Float32Array.of(1, 1, 1, Number.NaN) }
    const evaluation = await evaluateSubsets(predict, same, standardSubsets(layout), { seed: 1, resamples: 0 })
    expect(evaluation).toMatchObject({ evaluated: [], scores: [], average: Number.NaN })
    expect(evaluation.seen).toHaveLength(3)
  })

  test('counts a label only if every part has both classes of it', () => {
    const part = (labels: number[]) => ({ ids: [], rows: [], labels: Float32Array.from(labels) })
    const set = { labels: [{}, {}, {}], train: part([1, 1, 1, 0, 0, 0]), validation: part([1, 0, 1, 0, 0, 0]) }
    expect(labelsInAllParts({ ...set, test: null } as never)).toEqual([0, 2])
    expect(labelsInAllParts({ ...set, test: part([1, 1, 1, 0, 0, 1]) } as never)).toEqual([0])
  })

  test('counts classes of the single-label task by Top-1, all of them', async () => {
    const nan = Number.NaN
    const labels = Float32Array.of(1, 0, 0, /**/ 0, 1, 0, /**/ 0, 0, 1, /**/ nan, nan, nan)
    const classes = { ...examples, labels }
    const guess = async (rows: TokenRows) =>
      [...rows].flatMap(({ hidden }) => (hidden[0] === 0 ? [3, 2, 1] : [0, 0, 0.5]))
    const options = { task: 'single-label', seed: 1, resamples: 200 } as const
    const { scores, evaluated } = await evaluateSubsets(guess, classes, standardSubsets(layout), options)
    expect(evaluated).toEqual([0, 1, 2])
    expect(scores.map(({ value }) => value)).toEqual([1 / 3, 1 / 3, 1 / 3])
    for (const { low, high } of scores) expect([low, high]).toEqual([0, 1])
    const set = { task: 'single-label', labels: [{}, {}, {}], train: classes, validation: classes, test: null }
    expect(labelsInAllParts(set as never)).toEqual([0, 1, 2])
    const part = { ...classes, labels: Float32Array.of(0, 1, 0) }
    expect(labelsInAllParts({ ...set, test: part } as never)).toEqual([1])
  })

  test('pairs are left out of many modalities; parts of modalities come first', () => {
    const names = (tokens: number[]) => subsetsToMeasure(layoutOf(...tokens)).map(({ name }) => name)
    expect(names([1, 1, 1])).toEqual(['m0', 'm1', 'm2', 'm0+m1', 'm0+m2', 'm1+m2', 'all'])
    expect(names(new Array(7).fill(1))).toHaveLength(15)
    const [first] = subsetsToMeasure(layoutOf(2, 1), [{ name: 'half', slots: ['m0.1'] }])
    expect(first).toEqual({ name: 'half', group: 'partial', hidden: Uint8Array.of(1, 0, 1) })
    expect(() => subsetsToMeasure(layoutOf(2, 1), [{ slots: ['m0.7'] }])).toThrow('names slots')
  })
})
