/** Scores of parts of the inputs as tables and figures. Pure. */

import type { Cell, Column, Finding } from './finding.ts'
import type { Estimate } from './games.ts'
import { curvePlot, type PlotRow, rowPlot, signed } from './plots.ts'
import { bootstrapSentence, points, type Subject, subjectSentence } from './subject.ts'
import { CHANGE_LEVEL, type Combination, type ContextCurve, type ContextStep, type NamedScores } from './subsets.ts'
import { decimalsFor } from './table.ts'

const halfWidth = ({ low, high }: Estimate): number => points(high - low) / 2

const cells = ({ value, low, high }: Estimate): readonly Cell[] => [points(value), points(low), points(high)]

const estimateColumns = (key: string, name: string, decimals: number, isSigned = false): readonly Column[] => [
  { key, name, decimals, isSigned },
  { key: `${key}_low`, name: 'from', decimals, isSigned },
  { key: `${key}_high`, name: 'to', decimals, isSigned },
]

const plotRow = (name: string, estimate: Estimate, decimals: number): PlotRow => ({
  name,
  value: points(estimate.value),
  low: points(estimate.low),
  high: points(estimate.high),
  note: points(estimate.value).toFixed(decimals),
})

const REST_HIDDEN = 'Everything outside of a subset is hidden; the model is the same throughout.'

export const subsetsFinding = (subject: Subject, { subsets, everything }: NamedScores): Finding => {
  const decimals = decimalsFor(subsets.map(halfWidth))
  const finer = decimalsFor(subsets.map(({ short }) => halfWidth(short)))
  const title = `What the model scores on parts of its inputs`
  const axis = `${subject.metric}, points`
  return {
    title,
    about: [subjectSentence(subject), `With everything visible ${points(everything.value).toFixed(decimals)} points.`],
    tables: [
      {
        name: 'Subsets, points',
        columns: [
          { key: 'subset', name: 'subset', decimals },
          { key: 'tokens', name: 'tokens', decimals: 0 },
          ...estimateColumns('score', subject.metric, decimals),
          ...estimateColumns('short_of_everything', 'below all', finer),
        ],
        rows: subsets.map((subset) => [subset.name, subset.tokens, ...cells(subset), ...cells(subset.short)]),
      },
    ],
    figures: [
      {
        caption: `${subject.metric} of each subset; lines are 95 % intervals.`,
        svg: rowPlot({
          title,
          rows: subsets.map((subset) => plotRow(subset.name, subset, decimals)),
          axis,
          mark: 'dot',
          reference: { value: points(everything.value), name: 'everything' },
        }),
      },
    ],
    method: [REST_HIDDEN, bootstrapSentence(subject)],
  }
}

/** More rows would be no picture. */
const MOST_ROWS = 63

export const bandsFinding = (
  subject: Subject,
  parts: readonly string[],
  combinations: readonly Combination[],
): Finding => {
  const decimals = decimalsFor(combinations.map(halfWidth))
  const best = [...combinations].sort((a, b) => b.value - a.value)
  const nameOf = ({ shows }: Combination): string => parts.filter((_, i) => shows[i]).join('+')
  const bestOf = (size: number): Combination => best.find(({ shows }) => shows.filter(Boolean).length === size)!
  const scored = (combination: Combination): string =>
    `${points(combination.value).toFixed(decimals)} (${points(combination.low).toFixed(decimals)} to ${points(combination.high).toFixed(decimals)})`
  const title = 'What combinations of bands score'
  const shown = best.slice(0, MOST_ROWS)
  return {
    title,
    about: [
      subjectSentence(subject),
      `Best alone: ${nameOf(bestOf(1))}, ${scored(bestOf(1))}. ${parts.length > 2 ? `Best pair: ${nameOf(bestOf(2))}, ${scored(bestOf(2))}. ` : ''}All ${parts.length}: ${scored(bestOf(parts.length))}.`,
    ],
    tables: [
      {
        name: 'Combinations, points',
        columns: [
          { key: 'bands', name: 'bands', decimals },
          { key: 'count', name: 'count', decimals: 0 },
          ...estimateColumns('score', subject.metric, decimals),
        ],
        rows: best.map((one) => [nameOf(one), one.shows.filter(Boolean).length, ...cells(one)]),
      },
    ],
    figures: [
      {
        caption: `${subject.metric} of ${shown.length < best.length ? `the best ${shown.length} of ${best.length}` : `all ${best.length}`} combinations, the best first; filled dots are visible bands, lines 95 % intervals.`,
        svg: rowPlot({
          title,
          rows: shown.map((one) => ({ ...plotRow(nameOf(one), one, decimals), shows: one.shows })),
          axis: `${subject.metric}, points`,
          mark: 'dot',
          parts,
        }),
      },
    ],
    method: [
      REST_HIDDEN,
      'The order of combinations whose intervals overlap widely is not settled by these data.',
      bootstrapSentence(subject),
    ],
  }
}

export type SeriesSubject = {
  readonly modality: string
  /** Length of one period for people: "1 year", "16 days". */
  readonly period: string
}

export const contextFinding = (subject: Subject, series: SeriesSubject, curve: ContextCurve): Finding => {
  const { steps } = curve
  const decimals = decimalsFor(steps.map(halfWidth))
  const finer = decimalsFor(steps.flatMap(({ gain }) => (gain === null ? [] : [halfWidth(gain)])))
  const title = `What more of the past of ${series.modality} adds`
  return {
    title,
    about: [
      subjectSentence(subject),
      `One period is ${series.period}. ${changesSentence(steps, finer)}`,
      ...(subject.resamples < curve.fewestResamples
        ? [
            `With ${subject.resamples} resamples no step could have been told from chance: at least ${curve.fewestResamples} are needed.`,
          ]
        : []),
    ],
    tables: [
      {
        name: 'Curve, points',
        columns: [
          { key: 'periods', name: 'periods', decimals: 0 },
          ...estimateColumns('score', subject.metric, decimals),
          ...estimateColumns('gain', 'gain', finer, true),
          { key: 'p_adjusted', name: 'p', decimals: 3 },
          { key: 'change', name: 'change', decimals: 0 },
        ],
        rows: steps.map(({ periods, gain, ...score }) => [
          periods,
          ...cells(score),
          ...(gain === null
            ? [null, null, null, null, '']
            : [...cells(gain), gain.p, gain.isChange ? (gain.value > 0 ? 'rise' : 'fall') : '']),
        ]),
      },
    ],
    figures: [
      {
        caption: `${subject.metric} with the latest periods of ${series.modality} visible and all else hidden. The band is the 95 % interval of the score; dashed lines are change points.`,
        svg: curvePlot({
          title,
          xAxis: `latest periods visible (one is ${series.period})`,
          yAxis: `${subject.metric}, points`,
          points: steps.map(({ periods, gain, value, low, high }) => ({
            x: periods,
            value: points(value),
            low: points(low),
            high: points(high),
            change: gain?.isChange ? signed(points(gain.value), finer) : null,
          })),
        }),
      },
    ],
    method: [
      REST_HIDDEN,
      `A change point is a step whose gain over the step before differs from 0: two-sided p of the paired bootstrap (Efron and Tibshirani 1993, section 15.4; Davison and Hinkley 1997, section 4.2), adjusted for all ${steps.length - 1} steps (Holm 1979), at most ${CHANGE_LEVEL}. ${lowestSentence(subject, steps.length - 1)}It says that the model uses what became visible, not that an event took place then.`,
      bootstrapSentence(subject),
    ],
  }
}

const lowestSentence = ({ resamples }: Subject, tests: number): string =>
  resamples === 0
    ? ''
    : `With ${resamples} resamples no p can be below ${Math.min(1, (2 * tests) / (resamples + 1)).toPrecision(2)}. `

const changesSentence = (steps: readonly ContextStep[], decimals: number): string => {
  const changes = steps.flatMap(({ periods, gain }) =>
    gain?.isChange
      ? [
          `at ${periods} (${signed(points(gain.value), decimals)} points, p ${gain.p < 0.001 ? '< 0.001' : `= ${gain.p.toFixed(3)}`})`,
        ]
      : [],
  )
  return changes.length === 0
    ? `None of the ${steps.length - 1} steps can be told from chance.`
    : `Change points ${changes.join(', ')}.`
}
