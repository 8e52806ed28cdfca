/** The map as tables and pictures. Pure. */
import type { StrategyOptions } from '#cloud/masking/strategy.ts'
import { intervalChart } from '#cloud/report/interval-chart.ts'
import { standalone } from '#cloud/report/picture.ts'
import { extent } from '#cloud/report/scale.ts'
import { fatesOf } from './fates.ts'
import {
  type Difference,
  differenceIn,
  MEASURES,
  type Measure,
  type MeasuredLine,
  meanDifference,
  meanScore,
  measured,
  seedsOf,
} from './lines.ts'

const points = (value: number): string => value.toFixed(2).replace('-', '−')
const signed = (value: number): string => `${value >= 0 ? '+' : ''}${points(value)}`
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const ruled = (head: readonly string[]): readonly string[] => [
  row(head),
  row(head.map((_, i) => (i === 0 ? '---' : '---:'))),
]

/** An interval that excludes 0 is marked. */
const told = (difference: Difference | null): string => {
  if (difference === null) return ''
  const { value, low, high } = difference
  if (low === high) return signed(value)
  return `${signed(value)}${low > 0 ? ' ▲' : high < 0 ? ' ▼' : ''} (${signed(low)} to ${signed(high)})`
}

/** Cells as rows, `one` minus each of the others as columns. */
export const differenceTable = (
  lines: readonly MeasuredLine[],
  cells: readonly string[],
  one: string,
  others: readonly string[],
  measure: Measure,
): string =>
  [
    ...ruled([`${one}, ${measure}`, ...others.map((other) => `minus ${other}`)]),
    ...cells.map((cell) =>
      row([cell, ...others.map((other) => told(differenceIn(lines, cell, [one, other], measure)))]),
    ),
    row(['**mean of the cells**', ...others.map((other) => told(meanDifference(lines, cells, [one, other], measure)))]),
  ].join('\n')

/** How far each strategy's average lies below the best of them, by cell. `chosen`: the strategy that a rule takes in a cell. */
export const regretTable = (
  lines: readonly MeasuredLine[],
  cells: readonly string[],
  strategies: readonly string[],
  rules: Readonly<Record<string, (cell: string) => string>>,
): string => {
  const names = [...strategies, ...Object.keys(rules)]
  const regrets = cells.map((cell) => {
    const seeds = seedsOf(lines, cell, strategies)
    const scores = new Map(
      strategies.map((strategy) => [strategy, meanScore(lines, { cell, strategy }, seeds, 'average')]),
    )
    const best = Math.max(...scores.values())
    const taken = [...strategies, ...Object.values(rules).map((rule) => rule(cell))]
    return { cell, seeds, best, values: taken.map((strategy) => best - scores.get(strategy)!) }
  })
  const column = (i: number) => regrets.map(({ values }) => values[i]!)
  const summary = (name: string, of: (values: readonly number[]) => number) =>
    row([`**${name}**`, '', '', ...names.map((_, i) => `**${points(of(column(i)))}**`)])
  return [
    ...ruled(['cell', 'seeds', 'best average', ...names]),
    ...regrets.map(({ cell, seeds, best, values }) =>
      row([cell, `${seeds.length}`, points(best), ...values.map(points)]),
    ),
    summary('mean', (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    summary('largest', (values) => Math.max(...values)),
  ].join('\n')
}

/** Before there are scores, in percent of training observations: nothing visible / only the modality that is rarest alone. */
export const fatesTable = (
  cells: readonly { readonly name: string; readonly tokens: readonly number[] }[],
  strategies: Readonly<Record<string, StrategyOptions>>,
): string => {
  const percent = (share: number): string => (100 * share).toFixed(1)
  // MIAM with any λ starts as the Beta hypercube; OPM hides all alike.
  const shown = Object.entries(strategies).filter(([, { name }]) => name !== 'miam' && name !== 'opm')
  return [
    ...ruled(['nothing / one alone, %', 'tokens', ...shown.map(([key]) => key)]),
    ...cells.map(({ name, tokens }) => {
      const fates = shown.map(([, options]) => fatesOf(options, tokens))
      const told = fates.map(({ nothing, rarestAlone }) => `${percent(nothing)} / ${percent(rarestAlone)}`)
      return row([name, tokens.join(', '), ...told])
    }),
  ].join('\n')
}

/** Points of AUC that a picture shows at least, either way. */
const MOST = 1.5

/** One chart for each of the others, on one axis. */
export const differencePictures = (
  lines: readonly MeasuredLine[],
  cells: readonly string[],
  one: string,
  others: readonly string[],
  measure: Measure,
): readonly { readonly name: string; readonly svg: string }[] => {
  const charts = others.map((other) => ({
    other,
    rows: [
      ...cells.flatMap((name) => {
        const difference = differenceIn(lines, name, [one, other], measure)
        return difference === null ? [] : [{ name, ...difference }]
      }),
      { name: 'mean of the cells', isSum: true, ...meanDifference(lines, cells, [one, other], measure) },
    ],
  }))
  const values = charts.flatMap(({ rows }) => rows.map(({ value }) => value))
  // Of three seeds some intervals are wider than the map: they are cut at its edge.
  const ends = extent([...values, -MOST, MOST])
  const within = (end: number): number => Math.min(Math.max(end, ends[0]), ends[1])
  return charts.map(({ other, rows }, series) => ({
    name: `${one}-minus-${other}`.replaceAll(/[^\w-]+/g, '-'),
    svg: standalone(
      intervalChart({
        title: `${one} minus ${other}: ${measure}`,
        rows: rows.map((one) => ({ ...one, low: within(one.low), high: within(one.high) })),
        ends,
        series,
        xLabel: 'points of AUC, 95 % intervals over seeds',
        width: 420,
      }),
    ),
  }))
}

export const measurementsCsv = (lines: readonly MeasuredLine[]): string =>
  `${[
    ['cell', 'strategy', 'seed', ...MEASURES, 'validation average', 'seconds'],
    ...lines.map(({ cell, strategy, seed, validation, test, seconds }) => [
      `"${cell}"`,
      strategy,
      seed,
      ...MEASURES.map((measure) => measured(test, measure).toFixed(3)),
      measured(validation, 'average').toFixed(3),
      seconds.toFixed(1),
    ]),
  ]
    .map((line) => line.join(','))
    .join('\n')}\n`
