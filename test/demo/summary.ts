/** What a run of the demo comes to. */
import type { AucBySubset } from './scoreboard.ts'
import { wrap } from './wrap.ts'

const WIDTH = 80

export type Summary = {
  readonly seed: number
  readonly stations: number
  readonly seconds: number
  readonly virtualHours: number
  /** From the start to the first prediction by a trained model; null when a model was there before. */
  readonly firstPredictionSeconds: number | null
  /** Arrived at the stations, repeats and what was rejected included. */
  readonly messagesIn: number
  readonly observations: number
  readonly predictions: number
  /** Revisions of observations after their first. */
  readonly revisions: number
  readonly rejected: Readonly<Record<string, number>>
  /** Versions that have answered, by station, in order. */
  readonly modelVersions: Readonly<Record<string, readonly string[]>>
  readonly aucBySubset: {
    readonly before: AucBySubset
    readonly after: AucBySubset
    readonly bestPossible: AucBySubset
  }
  /** Valid readings that are not in the cloud. */
  readonly lost: number
  /** Readings and predictions that are in the cloud more than once. */
  readonly duplicated: number
  /** Second arrivals that changed nothing. */
  readonly duplicatesSuppressed: number
  /** From stations to the cloud. */
  readonly bytesUp: number
}

const percent = (value: number | undefined): string =>
  value === undefined ? '    –' : (100 * value).toFixed(1).padStart(5)

/** "all but audio" says more than four names. */
const shortName = (subset: string, subsets: readonly string[]): string => {
  const parts = subset.split('+')
  const everything = subsets.reduce((longest, name) => (name.length > longest.length ? name : longest), '').split('+')
  const absent = everything.filter((part) => !parts.includes(part))
  if (absent.length === 0) return 'all'
  return absent.length === 1 && parts.length > 1 ? `all but ${absent[0]}` : subset
}

export const formatSummary = (summary: Summary): string => {
  const { before, after, bestPossible } = summary.aucBySubset
  const subsets = Object.keys(after)
  const width = Math.max(...subsets.map((subset) => shortName(subset, subsets).length))
  const rows = subsets.map(
    (subset) =>
      `  ${shortName(subset, subsets).padEnd(width)}  ${percent(before[subset])}  ${percent(after[subset])}  ${percent(bestPossible[subset])}`,
  )
  const rejected = Object.entries(summary.rejected)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ')
  const facts = [
    `After ${Math.round(summary.seconds)} s (${summary.virtualHours} hours of the valley, seed ${summary.seed}):`,
    `  ${summary.messagesIn} messages in, ${summary.observations} observations, ${summary.predictions} predictions, ${summary.revisions} revisions`,
    `  rejected: ${rejected || 'none'}`,
    `  ${summary.lost} lost, ${summary.duplicated} duplicated (${summary.duplicatesSuppressed} repeats made no difference), ${summary.bytesUp} bytes up`,
    ...(summary.firstPredictionSeconds === null
      ? []
      : [`  first prediction by a trained model after ${summary.firstPredictionSeconds.toFixed(1)} s`]),
    ...Object.entries(summary.modelVersions).map(([node, versions]) => `  ${node}: ${versions.join(' → ')}`),
  ].flatMap((line) => wrap(line, WIDTH))
  return [
    '',
    ...facts,
    '',
    'Macro AUC (%) on later hours that no model has seen, by what it was given:',
    `  ${''.padEnd(width)}  first  second  best possible`,
    ...rows,
    '',
  ].join('\n')
}
