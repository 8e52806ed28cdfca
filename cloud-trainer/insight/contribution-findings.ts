/** Shapley values as tables and figures. Pure. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { GlobalShapley, LocalContribution, LocalShapley } from './contributions.ts'
import type { Column, Finding, Table } from './finding.ts'
import { type Patch, type PlotRow, patchPlot, rowPlot, signed } from './plots.ts'
import { bootstrapSentence, points, type Subject, subjectSentence } from './subject.ts'
import { decimalsFor } from './table.ts'

const SHAPLEY_SOURCE =
  'A contribution is the Shapley value (Shapley 1953): what showing the input adds, averaged over all orders in which the inputs can be shown one after the other. Contributions sum to the difference between everything and nothing visible.'

const samplingSentence = (isSampled: boolean, coalitions: number): string =>
  isSampled
    ? `Orders were sampled in pairs of an order and its reverse (Castro et al. 2009; Mitchell et al. 2022); ${coalitions} subsets were evaluated, and standard errors are those of the sampling.`
    : `All ${coalitions} subsets were evaluated; nothing is sampled.`

export const globalFinding = (subject: Subject, shapley: GlobalShapley): Finding => {
  const { contributions, nothing, everything, coalitions } = shapley
  const isSampled = contributions.some(({ standardError }) => standardError !== null)
  const decimals = decimalsFor(contributions.map(({ low, high }) => points(high - low) / 2))
  const number = (key: string, name: string, isSigned = false): Column => ({ key, name, decimals, isSigned })
  const table: Table = {
    name: 'Contributions, points',
    columns: [
      { key: 'modality', name: 'modality', decimals },
      number('contribution', 'adds', true),
      number('low', 'from', true),
      number('high', 'to', true),
      ...(isSampled ? [{ ...number('standard_error', 'sampling ±'), decimals: decimals + 1 }] : []),
      number('alone', 'alone'),
      number('alone_low', 'from'),
      number('alone_high', 'to'),
    ],
    rows: contributions.map(({ name, value, low, high, standardError, alone }) => [
      name,
      points(value),
      points(low),
      points(high),
      ...(isSampled ? [points(standardError ?? 0)] : []),
      points(alone.value),
      points(alone.low),
      points(alone.high),
    ]),
  }
  const plotted = contributions.map(({ name, value, low, high }): PlotRow => {
    const note = signed(points(value), decimals)
    return { name, value: points(value), low: points(low), high: points(high), note }
  })
  const total = everything.value - nothing.value
  const title = `What each modality adds to ${subject.metric}`
  return {
    title,
    about: [
      subjectSentence(subject),
      `${points(nothing.value).toFixed(decimals)} points with nothing visible, ${points(everything.value).toFixed(decimals)} with everything: the contributions share ${signed(points(total), decimals)}.`,
    ],
    tables: [table],
    figures: [
      {
        caption: `Shapley values of the modalities by ${subject.metric}; lines are 95 % intervals.`,
        svg: rowPlot({ title, rows: plotted, axis: `contribution to ${subject.metric}, points`, mark: 'bar' }),
      },
    ],
    method: [SHAPLEY_SOURCE, samplingSentence(isSampled, coalitions), bootstrapSentence(subject)],
  }
}

export type LocalSubject = {
  readonly model: string
  readonly observation: string
  /** [labels], by index. */
  readonly labels: readonly string[]
  /** Modalities that it lacks. */
  readonly missing: readonly string[]
}

const LOCAL_METHOD =
  'Logits are the answers before calibration (log-odds of a multi-label model), so that contributions add up. An input that the observation lacks contributes nothing. "Lost alone" is by how much the logit falls when that input alone is hidden.'

const TOKEN_METHOD =
  'Here every token joins on its own, so the sum of a modality need not be what the modality adds when its tokens join together.'

/** More rows would be no picture. */
const MOST_ROWS = 30

export const localFinding = (
  what: 'modality' | 'token',
  subject: LocalSubject,
  layout: TokenLayout,
  answers: readonly LocalShapley[],
): Finding => {
  const errors = answers.flatMap(({ contributions }) =>
    contributions.flatMap(({ standardError }) => (standardError === null ? [] : [standardError])),
  )
  const isSampled = errors.length > 0
  const decimals = isSampled ? Math.max(2, decimalsFor(errors)) : 2
  const named = answers.map((answer) => ({ ...answer, name: subject.labels[answer.label]! }))
  const nouns = what === 'token' ? 'tokens' : 'modalities'
  return {
    title: `What the ${nouns} of observation ${subject.observation} add to the answer`,
    about: [
      `Model ${subject.model}.${subject.missing.length === 0 ? '' : ` The observation has no ${subject.missing.join(', no ')}.`}`,
      ...named.map(
        ({ name, nothing, everything }) =>
          `${name}: logit ${signed(nothing, 2)} with nothing visible, ${signed(everything, 2)} as observed.`,
      ),
    ],
    tables: [
      contributionTable(what, named, { decimals, isSampled }),
      ...(what === 'token' ? [sumTable(layout, named, decimals)] : []),
    ],
    figures: named.flatMap((answer) => [
      rowFigure(what, answer, decimals),
      ...(what === 'token' ? patchFigures(answer, decimals) : []),
    ]),
    method: [
      SHAPLEY_SOURCE,
      samplingSentence(isSampled, answers[0]?.coalitions ?? 0),
      LOCAL_METHOD,
      ...(what === 'token' ? [TOKEN_METHOD] : []),
    ],
  }
}

type Named = LocalShapley & { readonly name: string }

const byStrength = (contributions: readonly LocalContribution[]): readonly LocalContribution[] =>
  [...contributions].sort((a, b) => Math.abs(b.value) - Math.abs(a.value))

const contributionTable = (
  what: string,
  answers: readonly Named[],
  { decimals, isSampled }: { readonly decimals: number; readonly isSampled: boolean },
): Table => ({
  name: 'Contributions, logit',
  columns: [
    { key: what, name: what, decimals },
    { key: 'label', name: 'label', decimals },
    { key: 'contribution_logit', name: 'adds', decimals, isSigned: true },
    ...(isSampled ? [{ key: 'standard_error', name: '±', decimals }] : []),
    { key: 'lost_alone_logit', name: 'lost alone', decimals, isSigned: true },
  ],
  rows: answers.flatMap(({ name, contributions }) =>
    byStrength(contributions).map((one) => [
      one.name,
      name,
      one.value,
      ...(isSampled ? [one.standardError] : []),
      one.lost,
    ]),
  ),
})

const sumTable = (layout: TokenLayout, answers: readonly Named[], decimals: number): Table => {
  const modalityOf = new Map(layout.slots.map(({ name, modality }) => [name, modality]))
  return {
    name: 'Sums by modality, logit',
    columns: [
      { key: 'modality', name: 'modality', decimals },
      { key: 'label', name: 'label', decimals },
      { key: 'tokens', name: 'tokens', decimals: 0 },
      { key: 'contribution_logit', name: 'add', decimals, isSigned: true },
    ],
    rows: answers.flatMap(({ name, contributions }) =>
      layout.modalities.map((modality, m) => {
        const own = contributions.filter((one) => modalityOf.get(one.name) === m)
        return [modality, name, own.length, own.reduce((sum, { value }) => sum + value, 0)]
      }),
    ),
  }
}

/** 95 % of a normal distribution. */
const NORMAL_95 = 1.96

const rowFigure = (what: string, { name, contributions }: Named, decimals: number): Finding['figures'][number] => {
  const rows = byStrength(contributions)
    .slice(0, MOST_ROWS)
    .map((one): PlotRow => {
      const half = NORMAL_95 * (one.standardError ?? 0)
      return {
        name: one.name,
        value: one.value,
        low: one.value - half,
        high: one.value + half,
        note: signed(one.value, decimals),
      }
    })
  const left = contributions.length - rows.length
  const whiskers = rows.some(({ low, high }) => low < high)
    ? ' Lines are ± 1.96 standard errors of the sampled orders.'
    : ''
  const caption = `${name}: Shapley value of each ${what} by logit, the strongest first.${left > 0 ? ` ${left} weaker ones are in the table.` : ''}${whiskers}`
  return { caption, svg: rowPlot({ title: caption, rows, axis: 'contribution, logit', mark: 'bar' }) }
}

const PATCH = /^(.*)\[(\d+),(\d+)\]$/

/** One for each modality whose tokens are patches at a row and column. */
const patchFigures = ({ name, contributions }: Named, decimals: number): readonly Finding['figures'][number][] => {
  const pictures = new Map<string, Patch[]>()
  for (const one of contributions) {
    const [, picture, row, column] = PATCH.exec(one.name) ?? []
    if (picture === undefined) continue
    const patches = pictures.get(picture) ?? []
    pictures.set(picture, [...patches, { row: Number(row), column: Number(column), value: one.value }])
  }
  const shown = [...pictures].filter(([, patches]) => patches.length > 1)
  const strongest = Math.max(...shown.flatMap(([, patches]) => patches.map(({ value }) => Math.abs(value))))
  return shown.map(([picture, patches]) => {
    const caption = `${name}: contribution of each patch of ${picture} where it lies, logit. Full colour is the strongest patch of this answer.`
    return { caption, svg: patchPlot({ title: caption, patches, strongest, decimals }) }
  })
}
