/**
 * Compares variants over seeds and observations. Every interval is the percentile bootstrap (Efron and Tibshirani 1993,
 * chapter 13) of both at once: a resample draws observations and seeds with replacement, the same for every variant and
 * column, so that differences are paired. Pure.
 */
import { assert } from '#shared/std/assert.ts'
import { randomStream } from '#shared/std/random.ts'
import { percentileInterval } from '../metrics/percentile.ts'
import type { RunResult } from './run-result.ts'

/** A column of the table: one subset, the mean of a group of subsets, or the mean of all. */
type Column = {
  readonly name: string
  readonly kind: 'subset' | 'group' | 'average'
  /** Indices of its subsets. */
  readonly subsets: readonly number[]
}

type Interval = { readonly value: number; readonly low: number; readonly high: number }

type Cell = Interval & {
  /** Standard deviation over the seeds (n − 1); null for one seed. */
  readonly deviation: number | null
  /** Among the variants, 1 is best; ties share their mean rank. */
  readonly rank: number
  /** From the baseline, paired; null for the baseline itself. */
  readonly difference: Interval | null
}

export type Comparison = {
  readonly baseline: string
  readonly variants: readonly string[]
  readonly seeds: readonly number[]
  readonly columns: readonly Column[]
  /** [variants][columns] */
  readonly cells: readonly (readonly Cell[])[]
  /** Resamples behind the intervals; 0: their ends are the value. */
  readonly resamples: number
}

type Scored = Pick<RunResult, 'variant' | 'seed' | 'scores'>

const SEED_OF_SEEDS = 1

/** `runs`: one for each variant and seed, all with the same subsets and resamples. The order of variants is theirs. */
export const compareRuns = (runs: readonly Scored[], baseline: string): Comparison => {
  const variants = [...new Set(runs.map(({ variant }) => variant))]
  const seeds = [...new Set(runs.map(({ seed }) => seed))]
  const table = variants.map((variant) =>
    seeds.map((seed) => {
      const run = runs.find((one) => one.variant === variant && one.seed === seed)
      assert(run !== undefined, 'every variant has every seed', { variant, seed })
      return run
    }),
  )
  const columns = columnsOf(runs[0]!)
  const draws = usableDraws(runs)
  const random = randomStream(SEED_OF_SEEDS, 'seeds of a resample')
  const seedDraws = draws.map(() => seeds.map(() => random.index(seeds.length)))

  const values = table.map((row) => columns.map((column) => row.map((run) => meanOver(column, run, null))))
  const resampled = table.map((row) =>
    columns.map((column) => {
      const bySeed = row.map((run) => draws.map((draw) => meanOver(column, run, draw)))
      return draws.map((_, b) => mean(seedDraws[b]!.map((s) => bySeed[s]![b]!)))
    }),
  )
  const base = variants.indexOf(baseline)
  assert(base >= 0, 'the baseline is one of the variants', { baseline })
  const cells = variants.map((_, v) =>
    columns.map((_, c): Cell => {
      const own = values[v]![c]!
      const value = mean(own)
      return {
        ...intervalOf(value, resampled[v]![c]!),
        deviation: deviation(own),
        rank: rankOf(
          value,
          values.map((row) => mean(row[c]!)),
        ),
        difference:
          v === base
            ? null
            : intervalOf(
                value - mean(values[base]![c]!),
                resampled[v]![c]!.map((drawn, b) => drawn - resampled[base]![c]![b]!),
              ),
      }
    }),
  )
  return { baseline, variants, seeds, columns, cells, resamples: draws.length }
}

const columnsOf = ({ scores }: Scored): readonly Column[] => {
  const single = scores.map(({ subset }, i): Column => ({ name: subset, kind: 'subset', subsets: [i] }))
  const groups = [...new Set(scores.map(({ group }) => group))].map((group): Column => {
    const subsets = scores.flatMap((score, i) => (score.group === group ? [i] : []))
    return { name: `mean of ${group}`, kind: 'group', subsets }
  })
  const all: Column = { name: 'average', kind: 'average', subsets: scores.map((_, i) => i) }
  return [...single, ...(groups.length > 1 ? groups.filter(({ subsets }) => subsets.length > 1) : []), all]
}

/** Resamples by index in which every run has a value for every subset. */
const usableDraws = (runs: readonly Scored[]): readonly number[] => {
  const counts = runs.flatMap(({ scores }) => scores.map(({ resamples }) => resamples.length))
  const isUsable = (b: number) => runs.every(({ scores }) => scores.every(({ resamples }) => resamples[b] !== null))
  return Array.from({ length: Math.min(...counts) }, (_, b) => b).filter(isUsable)
}

const meanOver = ({ subsets }: Column, { scores }: Scored, draw: number | null): number =>
  mean(subsets.map((i) => (draw === null ? scores[i]!.value : scores[i]!.resamples[draw]!)))

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const deviation = (values: readonly number[]): number | null => {
  if (values.length < 2) return null
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

const rankOf = (value: number, all: readonly number[]): number => {
  const better = all.filter((other) => other > value).length
  const tied = all.filter((other) => other === value).length
  return better + (tied + 1) / 2
}

const intervalOf = (value: number, resamples: readonly number[]): Interval => ({
  value,
  ...(percentileInterval(resamples) ?? { low: value, high: value }),
})
