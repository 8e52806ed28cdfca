/** `trainer experiment`: strategies × seeds as runs of their own, compared on every subset. */
import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { assert } from '#shared/std/assert.ts'
import { helpText } from '#shared/std/help-text.ts'
import { parseCommand, UsageError, wholeNumber } from './command-line.ts'
import { SOURCE_HELP, SOURCE_OPTIONS, sourceOf } from './data-source.ts'
import type { DatasetWarning } from './dataset/raw-set.ts'
import { type Column, parseColumns } from './experiment/columns.ts'
import { type PlannedRun, parseVariant, plannedRuns, variantKey } from './experiment/plan.ts'
import { points, type Results, resultsCsv, resultsOf, signedPoints } from './experiment/results.ts'
import { resultsPictures, resultsReport } from './experiment/results-report.ts'
import { resultsMarkdown } from './experiment/results-table.ts'
import type { RunResult } from './experiment/run-result.ts'
import { openExperimentProgress } from './experiment-progress.ts'
import { doRuns } from './experiment-runs.ts'
import { type ExperimentSettings, readResult, readSettings, SETTINGS_FILE, subsetsOf } from './experiment-settings.ts'
import {
  requirePossible,
  SHARED_HELP,
  SHARED_OPTIONS,
  sharedRecipeOf,
  VARIANT_NAMES,
  type Variant,
  variantsOf,
} from './experiment-variants.ts'
import { installedVersion } from './installed-version.ts'
import { MEMORY_HELP, MEMORY_OPTIONS, memoryOf, openSet } from './open-set.ts'
import { learnableLabels, measurableLabels } from './training/plan.ts'
import { differences } from './training/settings.ts'

const HELP = `understory trainer experiment – compares masking strategies over seeds, on every subset of the inputs

  --out FOLDER         of the experiment: its runs, results.json (all of it), comparison.json, results.csv, results.md,
                       report.html and figures
  --strategies LIST    all (default), or names joined by commas, each with parameters of its own if need be:
                       miam,uniform,dropout:rate=0.5,miam:lambdaScore=3:lambdaSpeed=3. An option of training below may
                       stand among them for one strategy alone: miam:maskMode=replace:epochs=80.
                       Names: ${VARIANT_NAMES.join(', ')};
                       oracle trains a model for each subset, so it takes as many times as long
  --seeds N            runs of each, with the seeds 1 to N (default 5)
  --jobs N             runs at once, of one thread each (default: all cores)
  --baseline NAME      differences are taken from it (default uniform, or else the first)
  --subsets FILE       JSON: columns to measure instead of the standard ones, [{"name": "…", "tokens": ["climate.*", …]}]
  --part PART          that is measured: test (default; the validation part of data without one) or validation, which may
                       be tuned on
  --partial LIST       more subsets to measure: tokens joined by commas, subsets by semicolons ("climate.bio1;…")
${SOURCE_HELP}${MEMORY_HELP}

${SHARED_HELP}
  --quick              a small model, two epochs, two seeds: whether it works, not how well; any option overrides it
  --json               the last line of standard output is the result as one JSON object
  --help

A run that stands is not done again; the same command goes on where it was stopped, and with more strategies or seeds
only what is new is done. Ctrl-C leaves checkpoints.
`

/** Given before what the person says, who has the last word. */
const QUICK = ['--epochs', '2', '--seeds', '2', '--width', '16', '--layers', '1', '--heads', '2', '--resamples', '50']

export const compareStrategies = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const shape = {
    ...SOURCE_OPTIONS,
    ...MEMORY_OPTIONS,
    ...SHARED_OPTIONS,
    out: z.string().min(1),
    strategies: z.string().min(1).default('all'),
    seeds: wholeNumber({ least: 1, most: 1000 }).default(5),
    jobs: wholeNumber({ least: 1, most: 256 }).default(() => availableParallelism()),
    baseline: z.string().min(1).optional(),
    subsets: z.string().min(1).optional(),
    part: z.enum(['test', 'validation']).default('test'),
    partial: z.string().min(1).optional(),
  }
  const parsed = parseCommand(args.includes('--quick') ? [...QUICK, ...args] : args, shape, ['quick', 'json'])
  if (parsed === 'help') {
    process.stdout.write(helpText(HELP))
    return 0
  }
  const { values, flags } = parsed
  const settings: ExperimentSettings = {
    schema: 'experiment/1',
    source: sourceOf(values),
    memory: memoryOf(values),
    recipe: sharedRecipeOf(values),
    variants: [...variantsOf(values.strategies, values)],
    seeds: Array.from({ length: values.seeds }, (_, i) => i + 1),
    partial: (values.partial ?? '').split(';').flatMap((text) => (text === '' ? [] : [text.split(',')])),
    columns: values.subsets === undefined ? null : await readColumns(resolve(values.subsets)),
    part: values.part,
  }
  const baseline = baselineOf(settings.variants, values.baseline)
  const folder = resolve(values.out)
  using set = await openSet(settings.source, {
    memory: memoryOf(values),
    onWarning: warn,
    onNote: (text) => void process.stderr.write(`note: ${text}\n`),
    signal,
  })
  const subsets = subsetsOf(settings, set.layout) // before any training: an unknown token shows at once
  requirePossible(settings.variants, set.layout.modalities.length)
  measurableLabels(set, learnableLabels(set)) // throws where no run could end well
  await keepSettings(folder, settings)
  await finishRuns(folder, settings, { jobs: values.jobs, subsets: subsets.length, dataHash: set.hash, signal })
  const results = resultsOf(await readResults(folder, settings), baseline, {
    command: `understory trainer experiment ${args.map(shellWord).join(' ')}`,
    understory: installedVersion(),
  })
  await writeOutputs(folder, results)
  process.stdout.write(`${resultsText(results)}\n${join(folder, 'report.html')}\n`)
  if (flags.has('json')) process.stdout.write(`${JSON.stringify(summaryOf(results, folder))}\n`)
  return 0
}

const baselineOf = (variants: readonly Variant[], asked: string | undefined): string => {
  const keys = variants.map(({ key }) => key)
  if (asked === undefined) return keys.includes('uniform') ? 'uniform' : keys[0]!
  const written = parseVariant(asked)
  const key = written === null ? asked : variantKey({ name: written.name, ...written.parameters })
  if (keys.includes(key)) return key
  throw new UsageError(`--baseline: "${asked}" is none of ${keys.join(', ')}`)
}

const readColumns = async (file: string): Promise<Column[]> => {
  const parsed = parseColumns(await readJson(file))
  if (!parsed.ok) throw new UsageError(`--subsets: ${file}: ${parsed.error}`)
  return [...parsed.value]
}

const readJson = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new UsageError(`--subsets: ${file} can't be read as JSON`, { cause })
  }
}

/** A folder goes on with what it was made for; strategies and seeds may come and go. */
const keepSettings = async (folder: string, settings: ExperimentSettings): Promise<void> => {
  const former = await readSettings(folder)
  const common = ({ variants: _, seeds: __, memory: ___, ...rest }: ExperimentSettings) => rest
  const different = former === null ? [] : differences(common(former), common(settings))
  if (different.length > 0) {
    throw new UsageError(`--out: ${folder} holds another experiment: ${different.join('; ')}; name a new folder`)
  }
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, SETTINGS_FILE), `${JSON.stringify(settings, null, 1)}\n`)
}

const finishRuns = async (
  folder: string,
  { variants, seeds, recipe }: ExperimentSettings,
  options: {
    readonly jobs: number
    readonly subsets: number
    readonly dataHash: string
    readonly signal: AbortSignal
  },
): Promise<void> => {
  const { jobs, subsets, dataHash, signal } = options
  const planned = plannedRuns(variants, seeds)
  const results = await Promise.all(planned.map(({ variant, seed }) => readResult(folder, variant, seed)))
  if (results.some((result) => result !== null && result.dataHash !== dataHash)) {
    throw new UsageError(`--out: ${folder} holds runs on other data than these; name a new folder`)
  }
  const open = planned.filter((_, i) => results[i] === null)
  if (open.length === 0) return
  process.stderr.write(`${open.length} of ${planned.length} runs to do, ${Math.min(jobs, open.length)} at once\n`)
  const epochsOf = ({ variant }: PlannedRun) => {
    const { strategy, recipe: own = recipe } = variants.find(({ key }) => key === variant)!
    return own.epochs * (strategy.name === 'oracle' ? subsets : 1)
  }
  using progress = openExperimentProgress(open, epochsOf)
  const failed = await doRuns(open, { folder, jobs, signal, onEpochs: progress.epochs, onEnd: progress.end })
  if (failed.length === 0) return
  throw new ExperimentError(failed.map(({ variant, seed }) => `${variant} seed ${seed}`))
}

const readResults = async (folder: string, { variants, seeds }: ExperimentSettings): Promise<readonly RunResult[]> => {
  const runs = variants.flatMap(({ key }) => seeds.map((seed) => readResult(folder, key, seed)))
  const results = (await Promise.all(runs)).filter((result) => result !== null)
  assert(results.length === runs.length, 'every run has its result', { runs: runs.length, results: results.length })
  return results
}

const writeOutputs = async (folder: string, results: Results): Promise<void> => {
  await mkdir(join(folder, 'figures'), { recursive: true })
  const files = [
    ['results.json', `${JSON.stringify(results)}\n`],
    ['comparison.json', `${JSON.stringify(comparisonOf(results), null, 1)}\n`],
    ['results.csv', resultsCsv(results)],
    ['results.md', resultsMarkdown(results)],
    ['report.html', resultsReport(results)],
    ...resultsPictures(results).map(({ name, svg }) => [join('figures', `${name}.svg`), svg]),
  ] as const
  for (const [name, text] of files) await writeFileAtomic(join(folder, name!), text!)
}

/** Results without their runs: small enough to be kept beside a text. */
const comparisonOf = ({ runs: _, ...rest }: Results) => rest

const resultsText = ({ comparison }: Results): string => {
  const { variants, cells, baseline } = comparison
  const rows = cells.map((row, v) => {
    const { value, low, high, difference: d } = row.at(-1)!
    const difference = d === null ? '' : `${signedPoints(d.value)} (${signedPoints(d.low)} to ${signedPoints(d.high)})`
    return [variants[v]!, points(value), `${points(low)} – ${points(high)}`, difference]
  })
  const all = [['strategy', 'average', '95 % interval', `minus ${baseline}`], ...rows]
  const widths = [0, 1, 2].map((c) => Math.max(...all.map((row) => row[c]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const summaryOf = ({ comparison, data, metric, runs }: Results, folder: string) => ({
  experiment: folder,
  dataHash: data.dataHash,
  part: data.part,
  observations: data.observations,
  metric,
  baseline: comparison.baseline,
  runs: runs.length,
  average: Object.fromEntries(comparison.variants.map((variant, v) => [variant, comparison.cells[v]!.at(-1)!])),
})

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** Some runs ended without a result; the others stand. */
class ExperimentError extends Error {
  readonly code = 'runs-failed'
  readonly hint = 'Why stands above. The same command tries only these again.'
  constructor(runs: readonly string[]) {
    super(`no result of ${runs.join(', ')}`)
    this.name = 'ExperimentError'
  }
}

const warn = ({ subject, count, detail }: DatasetWarning): void =>
  void process.stderr.write(`note: ${subject}: ${count} × ${detail}\n`)
