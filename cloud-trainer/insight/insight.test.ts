/** The analyses on models whose answers are known. */
import { describe, expect, test } from 'vitest'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import type { TokenRows } from '../model/token-rows.ts'
import { globalShapley, localShapley, tokenContributions } from './contributions.ts'
import type { MaskValues } from './games.ts'
import { partPlayers } from './players.ts'
import { scoreCombinations, scoreContext, scoreSubsets } from './subsets.ts'

const variable = (name: string) => ({ name, mean: 0, deviation: 1 })
const series: Extract<ModalitySpec, { kind: 'series' }> = {
  kind: 'series',
  name: 'climate',
  stepMs: 1000,
  periods: 4,
  stepsPerPeriod: 2,
  variables: [variable('t'), variable('rain')],
}
const table: ModalitySpec = {
  kind: 'tabular',
  name: 'soil',
  variables: [
    { type: 'number', ...variable('clay') },
    { type: 'number', ...variable('sand') },
  ],
}
const layout = layoutOf([series, table])
const sampling = () => ({ pairs: 10, random: randomStream(1, 'test') })

/** A metric from the names of what is visible, with two resamples beside it. */
const metric =
  (worth: (visible: readonly string[]) => number): MaskValues =>
  async (masks) =>
    masks.map((hidden) => {
      const value = worth(layout.slots.flatMap(({ name }, slot) => (hidden[slot] === 0 ? [name] : [])))
      return [value, value - 0.01 * (hidden.includes(0) ? 1 : 0), value + 0.01 * (hidden.includes(0) ? 1 : 0)]
    })

describe('contributions', () => {
  test('of modalities to a metric, with what each scores alone', async () => {
    const values = metric(
      (visible) =>
        0.5 +
        0.03 * visible.filter((name) => name.startsWith('climate')).length +
        (visible.includes('soil.clay') ? 0.1 : 0),
    )
    const found = await globalShapley(layout, values, sampling())
    expect(found.coalitions).toBe(4)
    expect(found.nothing).toEqual({ value: 0.5, low: 0.5, high: 0.5 })
    expect(found.everything.value).toBeCloseTo(0.84, 12)
    expect(
      found.contributions.map(({ name, value, standardError, alone }) => [
        name,
        value.toFixed(6),
        standardError,
        alone.value.toFixed(2),
      ]),
    ).toEqual([
      ['climate', '0.240000', null, '0.74'],
      ['soil', '0.100000', null, '0.60'],
    ])
    // Each resample is a game of its own: ± 0.01 for anything visible is shared by the two.
    const [climate] = found.contributions
    expect(climate!.high - climate!.low).toBeCloseTo(0.95 * 0.01, 9)
  })

  /** Logits of two labels: rain[3] and clay work together on the first; sand alone on the second. */
  const predict = async (rows: TokenRows) =>
    [...rows].flatMap(({ hidden }) => {
      const shows = (name: string): boolean => hidden[layout.slots.findIndex((slot) => slot.name === name)] === 0
      return [
        -1 + (shows('climate.rain[3]') && shows('soil.clay') ? 2 : 0) + (shows('climate.t[0]') ? 0.5 : 0),
        shows('soil.sand') ? -3 : 1,
      ]
    })
  const row = (missing: readonly string[]): TokenSet => ({
    features: new Float32Array(layout.featureCount),
    hidden: Uint8Array.from(layout.slots, ({ name }) => (missing.includes(name) ? 1 : 0)),
  })

  test('of modalities to one answer, by label', async () => {
    const [first, second] = await localShapley({ layout, row: row([]), labels: [0, 1], predict, sampling: sampling() })
    expect(first).toEqual({
      label: 0,
      contributions: [
        { name: 'climate', value: 1.5, standardError: null, lost: 2.5 },
        { name: 'soil', value: 1, standardError: null, lost: 2 },
      ],
      nothing: -1,
      everything: 1.5,
      coalitions: 4,
    })
    expect(second!.contributions.map(({ value }) => value)).toEqual([0, -4])
  })

  test('of tokens to one answer: those that it has, and exactly up to ten', async () => {
    const [found] = await tokenContributions({
      layout,
      row: row(['climate.t[0]']),
      labels: [0],
      predict,
      sampling: sampling(),
    })
    expect(found!.contributions).toHaveLength(9)
    expect(found!.coalitions).toBe(512)
    const strong = found!.contributions.filter(({ value }) => Math.abs(value) > 1e-9)
    expect(strong.map(({ name, value, lost }) => [name, value.toFixed(6), lost])).toEqual([
      ['climate.rain[3]', '1.000000', 2],
      ['soil.clay', '1.000000', 2],
    ])
  })

  test('of nothing are none', async () => {
    const all = layout.slots.map(({ name }) => name)
    const [found] = await tokenContributions({ layout, row: row(all), labels: [1], predict, sampling: sampling() })
    expect(found).toEqual({ label: 1, contributions: [], nothing: 1, everything: 1, coalitions: 1 })
  })
})

describe('scores of parts', () => {
  test('of chosen slots, and how far they are below everything', async () => {
    const values = metric((visible) => 0.5 + 0.04 * visible.length)
    const slots = [layout.slots.findIndex(({ name }) => name === 'soil.clay'), 0]
    const { subsets, everything } = await scoreSubsets(layout, [{ name: 'two', slots }], values)
    expect(everything.value).toBeCloseTo(0.9, 12)
    expect(subsets).toHaveLength(1)
    expect(subsets[0]).toMatchObject({ name: 'two', tokens: 2, value: 0.58 })
    expect(subsets[0]!.short.value).toBeCloseTo(0.32, 12)
    // Paired: what both have in a resample falls out of the difference.
    expect(subsets[0]!.short.high - subsets[0]!.short.low).toBeCloseTo(0, 12)
  })

  test('of every combination of parts', async () => {
    const values = metric((visible) => visible.reduce((sum, name) => sum + (name.includes('.rain') ? 0.1 : 0.01), 0))
    const found = await scoreCombinations(layout, partPlayers(layout, 0), values)
    expect(found.map(({ shows, value }) => [shows, value.toFixed(2)])).toEqual([
      [[true, false], '0.04'],
      [[false, true], '0.40'],
      [[true, true], '0.44'],
    ])
  })

  test('of windows that reach back, with the one step that is more than chance', async () => {
    // Period 1 (the third latest) brings 0.1 in every resample; all else is noise about 0.
    const noise = randomStream(5, 'noise')
    const drawn = Array.from({ length: 300 }, () => [0, 1, 2, 3].map(() => 0.01 * noise.normal()))
    const seen: string[][] = []
    const values: MaskValues = async (masks) =>
      masks.map((hidden) => {
        const visible = layout.slots.flatMap(({ name }, slot) => (hidden[slot] === 0 ? [name] : []))
        seen.push(visible)
        const value = 0.6 + (visible.includes('climate.t[1]') ? 0.1 : 0)
        return [value, ...drawn.map((one) => value + one[visible.length / 2 - 1]!)]
      })
    const { steps, fewestResamples } = await scoreContext(layout, series, values)
    expect(seen[1]).toEqual(['climate.t[2]', 'climate.t[3]', 'climate.rain[2]', 'climate.rain[3]'])
    expect(seen.map((visible) => visible.length)).toEqual([2, 4, 6, 8])
    expect(steps.map(({ periods, gain }) => [periods, gain?.isChange ?? null])).toEqual([
      [1, null],
      [2, false],
      [3, true],
      [4, false],
    ])
    expect(steps[2]!.gain!.value).toBeCloseTo(0.1, 12)
    expect(steps[2]!.gain!.p).toBeCloseTo((3 * 2) / 301, 12)
    expect(fewestResamples).toBe(119)
  })
})
