/** The table of an experiment for a README: Markdown. Pure. */
import { columnTitle, METRIC_NAMES, points, type Results, sideOf, signedPoints } from './results.ts'

/**
 * Columns as rows, variants as columns: mean over the seeds, the 95 % interval, and where the difference from the
 * baseline is more than chance, ▲ or ▼.
 */
export const resultsMarkdown = ({ comparison, metric, data, made, runs }: Results): string => {
  const { variants, columns, cells, baseline, seeds, resamples } = comparison
  const head = [METRIC_NAMES[metric], ...variants.map((variant) => `\`${variant}\``)]
  const rows = columns.map(({ name, kind }, c) => [
    kind === 'subset' ? columnTitle(name, data.modalities) : `**${name}**`,
    ...cells.map((row) => {
      const { value, low, high, difference, rank } = row[c]!
      const side = difference === null ? 0 : sideOf(difference)
      const text = `${points(value)}${side > 0 ? ' ▲' : side < 0 ? ' ▼' : ''} (${points(low)}–${points(high)})`
      return rank === 1 ? `**${text}**` : text
    }),
  ])
  const seconds = variants.map((variant) => {
    const own = runs.filter((run) => run.variant === variant).map((run) => run.seconds.training)
    return (own.reduce((sum, value) => sum + value, 0) / own.length).toFixed(0)
  })
  const average = cells.map((row) => row.at(-1)!)
  return [
    `${data.observations} observations of the ${data.part} part, ${data.labels.length} labels, ${seeds.length === 1 ? 'one seed' : `${seeds.length} seeds`}; ` +
      `95 % intervals from ${resamples} resamples of seeds and observations, differences paired with \`${baseline}\`.`,
    '',
    line(head),
    line(head.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map(line),
    line([
      'deviation of the average over seeds',
      ...average.map(({ deviation }) => (deviation === null ? '' : points(deviation))),
    ]),
    line([
      `average minus \`${baseline}\``,
      ...average.map(({ difference: d }) =>
        d === null ? '' : `${signedPoints(d.value)} (${signedPoints(d.low)} to ${signedPoints(d.high)})`,
      ),
    ]),
    line(['mean rank over the subsets', ...meanRanks(comparison).map((rank) => rank.toFixed(1))]),
    line(['seconds of training on one core', ...seconds]),
    '',
    `▲ ▼: better or worse than \`${baseline}\` with an interval that excludes 0. Bold: best of the row.`,
    '',
    '```sh',
    made.command,
    '```',
    '',
    `Understory ${made.understory}; ${made.engines.map(({ cpu, node, runtime }) => `Node ${node}, ONNX Runtime ${runtime}, ${cpu}`).join('; ')}; data ${data.dataHash.slice(0, 16)}.`,
    '',
  ].join('\n')
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** By variant, over the columns that are subsets. */
export const meanRanks = ({ columns, cells }: Results['comparison']): readonly number[] =>
  cells.map((row) => {
    const ranks = row.filter((_, c) => columns[c]!.kind === 'subset').map(({ rank }) => rank)
    return ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length
  })
