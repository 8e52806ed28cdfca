/** What the measurements say, line by line: one cell, strategy and seed each. Pure. */
import { assert } from '#shared/std/assert.ts'
import type { MeasuredRun, MeasuredScore } from './runs.ts'

export type MeasuredLine = MeasuredRun & { readonly cell: string; readonly strategy: string; readonly seed: number }

/** Means over subsets of the test part, in points of 100; `weakest` is the last modality alone. */
export const MEASURES = ['average', 'single', 'weakest', 'all'] as const
export type Measure = (typeof MEASURES)[number]

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

export const measured = (scores: readonly MeasuredScore[], measure: Measure): number => {
  const single = scores.filter(({ group }) => group === 'single')
  const chosen = {
    average: scores,
    single,
    weakest: single.slice(-1),
    all: scores.filter(({ subset }) => subset === 'all'),
  }[measure]
  return 100 * mean(chosen.map(({ value }) => value))
}

export const TUNED = 'dropout tuned'

/**
 * Adds modality dropout at the rate that the validation part of each cell and seed found best, where all of `rates`
 * (strategies by name) were measured: of one rate alone nothing is tuned.
 */
export const withTunedDropout = (lines: readonly MeasuredLine[], rates: readonly string[]): readonly MeasuredLine[] => {
  const dropouts = lines.filter(({ strategy }) => rates.includes(strategy))
  const groups = Map.groupBy(dropouts, ({ cell, seed }) => JSON.stringify([cell, seed]))
  const whole = [...groups.values()].filter((some) =>
    rates.every((rate) => some.some(({ strategy }) => strategy === rate)),
  )
  const best = whole.map((some) =>
    some.reduce((a, b) => (measured(b.validation, 'average') > measured(a.validation, 'average') ? b : a)),
  )
  return [...lines, ...best.map((line) => ({ ...line, strategy: TUNED }))]
}

export type Difference = { readonly value: number; readonly low: number; readonly high: number }

/** 97.5 % quantiles of Student's t by degrees of freedom, from 1. */
const T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086,
]

/**
 * Mean with its 95 % interval. Of Student's t, because a percentile bootstrap of five values is too narrow. One value
 * has no interval.
 */
export const withInterval = (values: readonly number[]): Difference => {
  assert(values.length > 0 && values.length <= T.length + 1, 'a few values', { count: values.length })
  const value = mean(values)
  if (values.length === 1) return { value, low: value, high: value }
  const variance = values.reduce((sum, one) => sum + (one - value) ** 2, 0) / (values.length - 1)
  const half = T[values.length - 2]! * Math.sqrt(variance / values.length)
  return { value, low: value - half, high: value + half }
}

/** By cell, the seeds that every one of these strategies has. */
export const seedsOf = (
  lines: readonly MeasuredLine[],
  cell: string,
  strategies: readonly string[],
): readonly number[] => {
  const own = lines.filter((line) => line.cell === cell)
  return [...new Set(own.map(({ seed }) => seed))].filter((seed) =>
    strategies.every((strategy) => own.some((line) => line.seed === seed && line.strategy === strategy)),
  )
}

const scoreOf = (
  lines: readonly MeasuredLine[],
  at: Omit<MeasuredLine, keyof MeasuredRun>,
  measure: Measure,
): number => {
  const line = lines.find(
    ({ cell, strategy, seed }) => cell === at.cell && strategy === at.strategy && seed === at.seed,
  )
  assert(line !== undefined, 'it was measured', at)
  return measured(line.test, measure)
}

/** `one` minus `other` in a cell, paired by seed; null without a seed that has both. */
export const differenceIn = (
  lines: readonly MeasuredLine[],
  cell: string,
  [one, other]: readonly [string, string],
  measure: Measure,
): Difference | null => {
  const seeds = seedsOf(lines, cell, [one, other])
  if (seeds.length === 0) return null
  const of = (strategy: string, seed: number): number => scoreOf(lines, { cell, strategy, seed }, measure)
  return withInterval(seeds.map((seed) => of(one, seed) - of(other, seed)))
}

/** The mean of the cells' differences, each cell counting once: the interval is over cells. */
export const meanDifference = (
  lines: readonly MeasuredLine[],
  cells: readonly string[],
  pair: readonly [string, string],
  measure: Measure,
): Difference => {
  const differences = cells.map((cell) => differenceIn(lines, cell, pair, measure))
  return withInterval(differences.flatMap((difference) => (difference === null ? [] : [difference.value])))
}

/** Mean of a cell over these seeds. */
export const meanScore = (
  lines: readonly MeasuredLine[],
  at: Pick<MeasuredLine, 'cell' | 'strategy'>,
  seeds: readonly number[],
  measure: Measure,
): number => mean(seeds.map((seed) => scoreOf(lines, { ...at, seed }, measure)))
