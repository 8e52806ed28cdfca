import { expect, test } from 'vitest'
import { differenceIn, type MeasuredLine, meanDifference, TUNED, withInterval, withTunedDropout } from './lines.ts'
import { differenceTable } from './page.ts'

const scores = (value: number) => [
  { subset: 'm1', group: 'single' as const, value },
  { subset: 'm2', group: 'single' as const, value: value - 0.2 },
  { subset: 'all', group: 'all' as const, value: value + 0.1 },
]
const line = (cell: string, strategy: string, seed: number, test: number, validation = test): MeasuredLine => ({
  cell,
  strategy,
  seed,
  test: scores(test),
  validation: scores(validation),
  seconds: 1,
})

test('an interval is that of Student’s t', () => {
  const { value, low, high } = withInterval([1, 2, 3, 4, 5])
  expect(value).toBe(3)
  // t(4) = 2.776 times √(2.5 / 5).
  expect(low).toBeCloseTo(3 - 2.776 * Math.sqrt(0.5), 12)
  expect(high).toBeCloseTo(3 + 2.776 * Math.sqrt(0.5), 12)
  expect(withInterval([2])).toEqual({ value: 2, low: 2, high: 2 })
})

test('differences are paired by seed, within a cell and over cells', () => {
  const lines = [
    ...[
      line('a', 'miam', 1, 0.7),
      line('a', 'uniform', 1, 0.6),
      line('a', 'miam', 2, 0.5),
      line('a', 'uniform', 2, 0.4),
    ],
    ...[line('b', 'miam', 1, 0.9), line('b', 'uniform', 1, 0.9), line('b', 'miam', 3, 0.9)],
  ]
  const pair = ['miam', 'uniform'] as const
  for (const measure of ['average', 'single', 'weakest', 'all'] as const) {
    const { value, low, high } = differenceIn(lines, 'a', pair, measure)!
    expect([value, low, high].map((end) => Number(end.toFixed(6)))).toEqual([10, 10, 10])
  }
  // Of b, seed 3 has no partner; each cell counts once: 10 and 0.
  expect(meanDifference(lines, ['a', 'b'], pair, 'average').value).toBeCloseTo(5, 9)
  expect(differenceIn(lines, 'a', ['miam', 'opm'], 'average')).toBeNull()
})

const RATES = ['dropout 0.1', 'dropout 0.5']

test('a tuned dropout is chosen on the validation part, seed by seed', () => {
  const lines = withTunedDropout(
    [
      line('a', 'dropout 0.1', 1, 0.9, 0.5),
      line('a', 'dropout 0.5', 1, 0.6, 0.7),
      line('a', 'dropout 0.1', 2, 0.8, 0.9),
      line('a', 'dropout 0.5', 2, 0.6, 0.7),
    ],
    RATES,
  )
  const tuned = lines.filter(({ strategy }) => strategy === TUNED)
  expect(tuned.map(({ seed, test }) => [seed, test[0]!.value])).toEqual([
    [1, 0.6],
    [2, 0.8],
  ])
})

test('where a rate was not measured dropout is not tuned, and tables stay blank', () => {
  const lines = withTunedDropout(
    [
      ...[line('a', 'miam', 1, 0.7), line('a', 'dropout 0.5', 1, 0.6)],
      ...[line('b', 'miam', 1, 0.9), line('b', 'dropout 0.5', 1, 0.6), line('b', 'dropout 0.1', 1, 0.8)],
    ],
    RATES,
  )
  expect(lines.filter(({ strategy }) => strategy === TUNED).map(({ cell }) => cell)).toEqual(['b'])
  const [, , a, b] = differenceTable(lines, ['a', 'b'], 'miam', ['dropout 0.5', TUNED], 'average').split('\n')
  expect([a, b]).toEqual(['| a | +10.00 |  |', '| b | +30.00 | +10.00 |'])
})
