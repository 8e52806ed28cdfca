/** An experiment's outcome as data: what `results.json` and `results.csv` hold. Pure. */
import { type Comparison, compareRuns } from './compare.ts'
import type { RunResult } from './run-result.ts'

/** How it was made. */
export type Provenance = {
  /** As it was typed. */
  readonly command: string
  readonly understory: string
}

export type Results = {
  readonly schema: 'experiment-results/1'
  readonly made: Provenance & { readonly engines: readonly RunResult['engine'][] }
  readonly data: Pick<RunResult, 'dataHash' | 'modalities' | 'part' | 'observations' | 'labels'>
  readonly metric: RunResult['metric']
  readonly comparison: Comparison
  readonly runs: readonly RunSummary[]
}

/** A run without its resamples. */
export type RunSummary = Pick<
  RunResult,
  'variant' | 'seed' | 'strategy' | 'epochs' | 'selectedEpoch' | 'drawn' | 'calibration' | 'logits' | 'seconds'
> & { readonly scores: readonly { readonly subset: string; readonly group: string; readonly value: number }[] }

/** `runs`: at least one; those of one experiment, hence of one data set. */
export const resultsOf = (runs: readonly RunResult[], baseline: string, made: Provenance): Results => {
  const { dataHash, modalities, part, observations, labels, metric } = runs[0]!
  const engines = new Map(runs.map(({ engine }) => [JSON.stringify(engine), engine]))
  return {
    schema: 'experiment-results/1',
    made: { ...made, engines: [...engines.values()] },
    data: { dataHash, modalities, part, observations, labels },
    metric,
    comparison: compareRuns(runs, baseline),
    runs: runs.map(
      ({ variant, seed, strategy, epochs, selectedEpoch, drawn, calibration, logits, seconds, scores }) => ({
        variant,
        seed,
        strategy,
        scores: scores.map(({ subset, group, value }) => ({ subset, group, value })),
        epochs,
        selectedEpoch,
        drawn,
        calibration,
        logits,
        seconds,
      }),
    ),
  }
}

/** One line for each run and subset (RFC 4180). */
export const resultsCsv = ({ runs, metric }: Results): string => {
  const lines = runs.flatMap(({ variant, seed, scores }) =>
    scores.map(({ subset, value }) => [variant, `${seed}`, subset, metric, value.toFixed(6)]),
  )
  return [['strategy', 'seed', 'subset', 'metric', 'value'], ...lines]
    .map((cells) => `${cells.map(quoted).join(',')}\n`)
    .join('')
}

const quoted = (cell: string): string => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

export const METRIC_NAMES: Readonly<Record<RunResult['metric'], string>> = {
  'macro-auc': 'macro AUC',
  'top-1': 'Top-1',
}

/** 0.8331 as "83.3". */
export const points = (value: number): string => (100 * value).toFixed(1)

/** 0.0041 as "+0.4", in points. */
export const signedPoints = (value: number): string => {
  const text = Math.abs(100 * value).toFixed(1)
  return text === '0.0' ? '0.0' : `${value > 0 ? '+' : '−'}${text}`
}

/** Whether an interval excludes zero, and on which side. */
export const sideOf = ({ low, high }: { readonly low: number; readonly high: number }): -1 | 0 | 1 =>
  low > 0 ? 1 : high < 0 ? -1 : 0

/** "all but soil" for a column that shows every modality but one, if these are more than two; else its name. */
export const columnTitle = (name: string, modalities: readonly string[]): string => {
  const shown = name.split('+')
  const missing = modalities.filter((modality) => !shown.includes(modality))
  const isRest = shown.length > 2 && missing.length === 1 && shown.length === modalities.length - 1
  return isRest ? `all but ${missing[0]}` : name
}
