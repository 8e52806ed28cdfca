import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { compareRuns } from './compare.ts'

type Run = Parameters<typeof compareRuns>[0][number]

const run = (
  variant: string,
  seed: number,
  values: readonly number[],
  resamples: readonly (number | null)[][],
): Run => ({
  variant,
  seed,
  scores: values.map((value, i) => ({
    subset: `s${i}`,
    group: i === values.length - 1 ? 'all' : 'single',
    value,
    resamples: resamples[i] ?? [],
  })),
})

describe('values', () => {
  const runs = [
    run('a', 1, [0.6, 0.8, 0.9], []),
    run('b', 1, [0.7, 0.7, 0.9], []),
    run('a', 2, [0.8, 0.8, 0.7], []),
    run('b', 2, [0.7, 0.7, 0.7], []),
  ]
  const { variants, columns, cells, resamples } = compareRuns(runs, 'b')

  test('are means over seeds, of subsets, of groups with more than one, and of all', () => {
    expect(variants).toEqual(['a', 'b'])
    expect(columns.map(({ name }) => name)).toEqual(['s0', 's1', 's2', 'mean of single', 'average'])
    const expected = [0.7, 0.8, 0.8, 0.75, (0.7 + 0.8 + 0.8) / 3]
    for (const [c, value] of expected.entries()) expect(cells[0]![c]!.value).toBeCloseTo(value, 12)
    expect(cells[0]![0]!.deviation).toBeCloseTo(Math.SQRT2 / 10, 12)
  })

  test('have ranks, tied ones their mean, and differences from the baseline', () => {
    expect(cells.map((row) => row[1]!.rank)).toEqual([1, 2])
    expect(cells.map((row) => row[2]!.rank)).toEqual([1.5, 1.5])
    expect(cells[0]![1]!.difference!.value).toBeCloseTo(0.1, 12)
    expect(cells[1]!.every(({ difference }) => difference === null)).toBe(true)
  })

  test('are their own interval without resamples; one seed has no deviation', () => {
    expect(resamples).toBe(0)
    expect(cells[0]![0]).toMatchObject({ low: cells[0]![0]!.value, high: cells[0]![0]!.value })
    expect(compareRuns(runs.slice(0, 2), 'a').cells[0]![0]!.deviation).toBeNull()
  })
})

describe('intervals', () => {
  const B = 400
  /** Scores of a run: what the observations of a resample do to all runs alike, and the luck of the run. */
  const experiment = (lead: number, luck: number, seedCount: number): readonly Run[] => {
    const random = randomStream(7, 'runs')
    const shared = Array.from({ length: B }, () => 0.02 * random.normal())
    return Array.from({ length: seedCount }, (_, i) => i + 1).flatMap((seed) =>
      [
        ['a', lead],
        ['b', 0],
      ].map(([name, more]) => {
        const own = 0.7 + Number(more) + luck * random.normal()
        return run(String(name), seed, [own], [shared.map((move) => own + move)])
      }),
    )
  }

  test('of a difference leave out what all runs share', () => {
    const [a] = compareRuns(experiment(0.01, 0, 3), 'b').cells
    const { low, high, difference } = a![0]!
    // Of N(0.71, 0.02): about ± 1.96 deviations, with the error of 400 resamples.
    expect(high - low).toBeGreaterThan(0.06)
    expect(high - low).toBeLessThan(0.1)
    expect(difference!.low).toBeCloseTo(0.01, 12)
    expect(difference!.high).toBeCloseTo(0.01, 12)
  })

  test('grow with the luck of the seeds, and take it in for both variants at once', () => {
    const width = (luck: number) => {
      const { difference } = compareRuns(experiment(0.01, luck, 5), 'b').cells[0]![0]!
      return difference!.high - difference!.low
    }
    expect(width(0.01)).toBeGreaterThan(0.005)
    expect(width(0.02)).toBeCloseTo(2 * width(0.01), 10)
  })

  test('leave out resamples that a run lacks', () => {
    const runs = [run('a', 1, [0.6], [[0.5, null, 0.7]]), run('b', 1, [0.5], [[0.4, 0.6, 0.5]])]
    const { cells, resamples } = compareRuns(runs, 'b')
    expect(resamples).toBe(2)
    expect(cells[0]![0]!.difference!.high).toBeLessThanOrEqual(0.2 + 1e-12)
  })

  test('hold for whatever runs: low ≤ high, ranks sum to n(n + 1)/2, order of runs means nothing', () => {
    const value = fc.double({ min: 0, max: 1, noNaN: true })
    const scores = fc.array(value, { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(scores, { minLength: 6, maxLength: 6 }), (rows) => {
        const runs = rows.map(([own, ...drawn], i) => run(`v${i % 3}`, 1 + Math.floor(i / 3), [own!], [drawn]))
        const { cells } = compareRuns(runs, 'v0')
        for (const [cell] of cells) expect(cell!.low).toBeLessThanOrEqual(cell!.high)
        expect(cells.reduce((sum, [cell]) => sum + cell!.rank, 0)).toBe(6)
        const [a, b, c, ...rest] = runs
        expect(compareRuns([a!, c!, b!, ...rest], 'v0').cells[1]).toEqual(cells[2])
      }),
    )
  })
})
