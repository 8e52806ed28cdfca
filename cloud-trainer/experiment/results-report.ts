/** The report of an experiment: tables and pictures of its results. Pure. */
import { histogram, sharesOf } from '../report/histogram.ts'
import { intervalChart } from '../report/interval-chart.ts'
import { type Line, lineChart } from '../report/line-chart.ts'
import {
  grid,
  legend,
  page,
  paragraph,
  preformatted,
  type Section,
  type Cell as TableCell,
  table,
} from '../report/page.ts'
import { standalone, withLegend } from '../report/picture.ts'
import { extent } from '../report/scale.ts'
import { columnTitle, METRIC_NAMES, points, type Results, type RunSummary, sideOf, signedPoints } from './results.ts'
import { meanRanks } from './results-table.ts'

/** An SVG file. */
type Picture = { readonly name: string; readonly svg: string }

export const resultsReport = (results: Results): string => {
  const { comparison, data } = results
  const { variants, seeds } = comparison
  const lead = paragraph(
    `${variants.length} strategies, ${seeds.length === 1 ? 'one seed' : `${seeds.length} seeds`} each, measured on ${data.observations} observations of the ` +
      `${data.part} part and ${data.labels.length} labels. Modalities: ${data.modalities.join(', ')}.`,
  )
  return page(`Masking strategies compared: ${METRIC_NAMES[results.metric]}`, lead, [
    summarySection(results),
    differencesSection(results),
    tableSection(results),
    curvesSection(results),
    ...imbalanceSections(results),
    drawnSection(results),
    calibrationSection(results),
    madeSection(results),
  ])
}

/** Differences from the baseline by variant, and learning curves by modality. */
export const resultsPictures = (results: Results): readonly Picture[] => [
  ...differenceCharts(results).map(({ name, svg }) => ({
    name: `difference-${name.replaceAll(/[:=]/g, '-')}`,
    svg: standalone(svg),
  })),
  ...curveCharts(results).map(({ name, svg }) => ({
    name: `curve-${name}`,
    svg: standalone(withLegend(svg, results.comparison.variants)),
  })),
]

const runsOf = ({ runs }: Results, variant: string): readonly RunSummary[] =>
  runs.filter((run) => run.variant === variant)

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const arrow = (difference: { readonly low: number; readonly high: number } | null): string => {
  const side = difference === null ? 0 : sideOf(difference)
  return side > 0 ? ' ▲' : side < 0 ? ' ▼' : ''
}

const summarySection = (results: Results): Section => {
  const { comparison } = results
  const { variants, cells, baseline } = comparison
  const ranks = meanRanks(comparison)
  const rows = variants.map((variant, v) => {
    const own = runsOf(results, variant)
    const { value, low, high, deviation, difference, rank } = cells[v]!.at(-1)!
    const errors = own.map(({ calibration }) => mean(calibration.errors.map(({ after }) => after)))
    return {
      cells: [
        { text: nameCell(variant).text!, small: parametersOf(own[0]!) },
        { text: points(value), small: `${points(low)} – ${points(high)}`, ...(rank === 1 ? { class: 'best' } : {}) },
        { text: deviation === null ? '' : points(deviation) },
        difference === null
          ? { text: 'baseline' }
          : {
              text: `${signedPoints(difference.value)}${arrow(difference)}`,
              small: `${signedPoints(difference.low)} to ${signedPoints(difference.high)}`,
            },
        { text: ranks[v]!.toFixed(1) },
        { text: mean(errors).toFixed(3) },
        { text: secondsText(mean(own.map(({ seconds }) => seconds.training))) },
      ],
    }
  })
  const head: readonly TableCell[] = [
    { text: 'strategy' },
    { text: 'average', small: 'over all subsets' },
    { text: 'standard deviation', small: 'over seeds' },
    { text: `minus ${baseline}`, small: '95 % interval' },
    { text: 'mean rank', small: 'over subsets' },
    { text: 'calibration error', small: 'mean of subsets' },
    { text: 'seconds', small: 'of training' },
  ]
  return {
    title: 'Summary',
    note:
      `${METRIC_NAMES[results.metric]} in points, 0 to 100. Intervals are the 2.5 and 97.5 percentiles of ${comparison.resamples} resamples of ` +
      'seeds and observations, paired between strategies. ▲ and ▼: the interval of the difference excludes 0. Few seeds make ' +
      'intervals too narrow, and so do neighbouring observations that resemble one another, which count as independent. Many ' +
      'differences are shown without a correction for their number: a single ▲ or ▼ may be chance.',
    body: table('Summary', head, rows),
  }
}

const secondsText = (seconds: number): string => seconds.toFixed(seconds < 10 ? 1 : 0)

const parametersOf = ({ strategy }: RunSummary): string =>
  Object.entries(strategy)
    .filter(([key]) => key !== 'name')
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')

/** Ends of the difference axes, in points: one for all, but its own for a variant so far off that it would squeeze the others. */
const axesOf = ({ comparison }: Results): ReadonlyMap<string, readonly [number, number]> => {
  const { variants, cells, baseline } = comparison
  const ranges = variants.flatMap((variant, v) => {
    if (variant === baseline) return []
    const differences = cells[v]!.map(({ difference }) => difference!)
    return [{ variant, ends: extent([0, ...differences.flatMap(({ low, high }) => [100 * low, 100 * high])]) }]
  })
  const widths = ranges.map(({ ends: [low, high] }) => high - low).sort((a, b) => a - b)
  const limit = 2.5 * (widths[Math.floor((widths.length - 1) / 2)] ?? 0)
  const near = ranges.filter(({ ends: [low, high] }) => high - low <= limit)
  const common = extent(near.flatMap(({ ends }) => ends))
  return new Map(ranges.map((range) => [range.variant, near.includes(range) ? common : range.ends]))
}

const differenceCharts = (results: Results) => {
  const { comparison, metric, data } = results
  const { variants, columns, cells, baseline } = comparison
  const axes = axesOf(results)
  return variants.flatMap((variant, v) => {
    if (variant === baseline) return []
    const rows = columns.map(({ name, kind }, c) => {
      const { value, low, high } = cells[v]![c]!.difference!
      const title = columnTitle(name, data.modalities)
      return { name: title, value: 100 * value, low: 100 * low, high: 100 * high, isSum: kind !== 'subset' }
    })
    const [low, high] = axes.get(variant)!
    const edge = 0.03 * (high - low)
    const title = `${variant} − ${baseline}`
    const xLabel = `difference of ${METRIC_NAMES[metric]}, points`
    return [{ name: variant, svg: intervalChart({ title, rows, ends: [low - edge, high + edge], series: v, xLabel }) }]
  })
}

const differencesSection = (results: Results): Section => ({
  title: `Differences from ${results.comparison.baseline}`,
  note: 'Each line is a 95 % interval, paired over seeds and observations. Panels share one axis, except where a strategy lies far off.',
  body: grid(
    differenceCharts(results).map(({ svg }) => svg),
    { wide: true },
  ),
})

/** "miam:kappa=5" on two lines. */
const nameCell = (variant: string): TableCell => {
  const [name, ...parameters] = variant.split(':')
  return { text: name!, ...(parameters.length === 0 ? {} : { small: parameters.join(', ') }) }
}

const tableSection = ({ comparison, metric, data }: Results): Section => {
  const { variants, columns, cells, baseline } = comparison
  const rows = columns.map(({ name, kind }, c) => ({
    ...(kind === 'subset' ? {} : { class: 'sum' }),
    cells: [
      { text: columnTitle(name, data.modalities) },
      ...variants.map((_, v): TableCell => {
        const { value, low, high, rank, difference } = cells[v]![c]!
        return {
          text: `${points(value)}${arrow(difference)}`,
          small: `${points(low)} – ${points(high)} · rank ${rank}`,
          ...(rank === 1 ? { class: 'best' } : {}),
        }
      }),
    ],
  }))
  return {
    title: `Subsets of the inputs: ${METRIC_NAMES[metric]}`,
    note: `In points, with 95 % interval and rank among the strategies; everything outside the subset is hidden. ▲ ▼: the difference from ${baseline} has an interval that excludes 0. Bold: best of the row.`,
    body: table('Subsets of the inputs', [{ text: 'visible' }, ...variants.map(nameCell)], rows),
  }
}

/** The mean over seeds with its range, by epoch; epochs that not every seed has are left out. */
const overSeeds = (
  runs: readonly RunSummary[],
  pick: (epoch: RunSummary['epochs'][number]) => number | null,
): Pick<Line, 'points' | 'band'> => {
  const count = Math.min(...runs.map(({ epochs }) => epochs.length))
  const rows = Array.from({ length: count }, (_, e) => ({
    epoch: runs[0]!.epochs[e]!.epoch,
    values: runs.map(({ epochs }) => pick(epochs[e]!)).filter((value) => value !== null),
  })).filter(({ values }) => values.length > 0)
  return {
    points: rows.map(({ epoch, values }) => [epoch, mean(values)]),
    band: rows.map(({ values }) => [Math.min(...values), Math.max(...values)]),
  }
}

const curveCharts = (results: Results) => {
  const { data, comparison } = results
  const panels = [...data.modalities.map((name, m) => ({ name, m })), { name: 'all', m: null }]
  return panels.map(({ name, m }) => {
    const lines = comparison.variants.map((variant, series): Line => {
      const { points: at } = overSeeds(
        runsOf(results, variant),
        (epoch) => 100 * (m === null ? epoch.all : epoch.scores[m]!),
      )
      return { name: variant, series, points: at }
    })
    const title = name === 'all' ? 'everything visible' : `${name} alone`
    return {
      name,
      svg: lineChart({ title, lines, xLabel: 'epoch', yLabel: `${METRIC_NAMES[results.metric]}, points` }),
    }
  })
}

const curvesSection = (results: Results): Section => ({
  title: 'Learning curves',
  note: `${METRIC_NAMES[results.metric]} on the validation part after each epoch, mean over seeds. Each panel has its own axis. An oracle's curve is that of its model for everything.`,
  body: legend(results.comparison.variants) + grid(curveCharts(results).map(({ svg }) => svg)),
})

/** For each variant whose masks lean: ρ_s, ρ_d and w by modality. */
const imbalanceSections = (results: Results): readonly Section[] => {
  const { data, comparison } = results
  return comparison.variants.flatMap((variant): readonly Section[] => {
    const runs = runsOf(results, variant)
    if (runs.every(({ epochs }) => epochs.every(({ masking }) => masking === null))) return []
    type Masking = NonNullable<RunSummary['epochs'][number]['masking']>
    const panel = (title: string, pick: (masking: Masking, m: number) => number): string => {
      const lines = data.modalities.map(
        (name, m): Line => ({ name, series: m, ...overSeeds(runs, ({ masking }) => masking && pick(masking, m)) }),
      )
      const [low, high] = extent(lines.flatMap(({ band }) => band!.flat()))
      const y = [Math.min(low, 0.9), Math.max(high, 1.12)] as const
      return lineChart({ title, lines, xLabel: 'epoch', isLogY: true, level: 1, y })
    }
    return [
      {
        title: `What ${variant} hid, and why`,
        note: 'By modality and epoch; lines are means over seeds, bands their range, axes logarithmic. Above 1: a score higher than that of the others (ρ_s), one that changes faster (ρ_d), hidden more (w).',
        body:
          legend(data.modalities) +
          grid([
            panel('ρ_s, score ratio', ({ scoreRatio }, m) => scoreRatio[m]!),
            panel('ρ_d, speed ratio', ({ speedRatio }, m) => speedRatio[m]!),
            panel('w, weight', ({ lnW }, m) => Math.exp(lnW[m]!)),
          ]),
      },
    ]
  })
}

const BINS = 20

const drawnSection = (results: Results): Section => {
  const { data, comparison } = results
  const drawn = comparison.variants.map((variant) =>
    data.modalities.map((_, m) => runsOf(results, variant).flatMap((run) => run.drawn.map((p) => p[m]!))),
  )
  const rows = comparison.variants.map((variant, v) => ({
    cells: [
      { text: variant },
      ...data.modalities.map((name, m): TableCell => {
        const shares = sharesOf(drawn[v]![m]!, BINS)
        return {
          class: 'small',
          markup: histogram(shares, { series: v, most: Math.max(...shares), title: `p of ${name} under ${variant}` }),
          small: `mean ${mean(drawn[v]![m]!).toFixed(2)}`,
        }
      }),
    ],
  }))
  return {
    title: 'How the strategies hide',
    note: 'Draws of p, the probability that a token of the modality is hidden, from 0 (left) to 1 (right), as the last epoch left the strategy. The highest bar fills its cell.',
    body: table('How the strategies hide', [{ text: 'strategy' }, ...data.modalities.map((text) => ({ text }))], rows),
  }
}

const calibrationSection = (results: Results): Section => {
  const { comparison } = results
  const lastSubset = results.runs[0]!.scores.at(-1)!.subset
  const panels = comparison.variants.map((variant, series) => {
    const runs = runsOf(results, variant)
    const bins = runs[0]!.calibration.bins.map((_, b) => {
      const own = runs.map(({ calibration }) => calibration.bins[b]!)
      const count = own.reduce((sum, bin) => sum + bin.count, 0)
      const over = (key: 'said' | 'found') => own.reduce((sum, bin) => sum + bin.count * bin[key], 0) / count
      return { point: [over('said'), over('found')] as const, count }
    })
    const filled = bins.filter(({ count }) => count > 0)
    const answers = filled.reduce((sum, { count }) => sum + count, 0)
    const at = filled.map(({ point }) => point)
    const weights = filled.map(({ count }) => count / answers)
    const lines: readonly Line[] = [{ name: variant, series, points: at, weights }]
    const all = runs.map(({ calibration }) => calibration.errors.at(-1)!)
    const errors = `error ${mean(all.map(({ before }) => before)).toFixed(3)} → ${mean(all.map(({ after }) => after)).toFixed(3)}`
    return lineChart({
      title: variant,
      lines,
      x: [0, 1],
      y: [0, 1],
      hasDiagonal: true,
      xLabel: `probability said · ${errors}`,
      yLabel: 'share found',
    })
  })
  return {
    title: 'Calibration',
    note: `How often a label was there among the answers that said so with a given probability, with the subset "${lastSubset}" visible; larger dots stand for more answers, and honest ones lie on the diagonal. Temperatures are fitted on the validation part. Error: the expected calibration error before → after them, mean over seeds. The table has it for each subset, after them and below it before them; the aim is 0.05.`,
    body: grid(panels) + calibrationTable(results),
  }
}

/** Errors of each subset, whose observations have temperatures of their own. */
const calibrationTable = (results: Results): string => {
  const { variants } = results.comparison
  const own = variants.map((variant) => runsOf(results, variant))
  const subsets = own[0]![0]!.calibration.errors.map(({ subset }) => subset)
  const errorOf = (runs: readonly RunSummary[], subset: string, key: 'before' | 'after'): string => {
    const errors = runs.flatMap(({ calibration }) => calibration.errors.filter((one) => one.subset === subset))
    return errors.length === 0 ? '' : mean(errors.map((one) => one[key])).toFixed(3)
  }
  return table(
    'Calibration error by subset',
    [{ text: 'calibration error' }, ...variants.map(nameCell)],
    subsets.map((subset) => ({
      cells: [
        { text: columnTitle(subset, results.data.modalities) },
        ...own.map((runs) => ({ text: errorOf(runs, subset, 'after'), small: errorOf(runs, subset, 'before') })),
      ],
    })),
  )
}

const madeSection = ({ made, data }: Results): Section => ({
  title: 'How it was made',
  body:
    preformatted(made.command) +
    paragraph(
      `Understory ${made.understory}; ${made.engines.map(({ cpu, node, runtime }) => `Node ${node}, ONNX Runtime ${runtime}, ${cpu}`).join('; ')}. Data ${data.dataHash}.`,
    ) +
    paragraph(
      'What to keep in mind: masks that lean need validation labels while training; κ and λ want tuning for each data set; the full input may lose a little to milder strategies.',
    ),
})
