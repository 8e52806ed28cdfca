/** `understory chain`: the whole loop on a folder of real data, and the proof that the edge answers as the trainer does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { parseCommand, UsageError, wholeNumber } from '#cloud/command-line.ts'
import { DatasetError } from '#cloud/dataset/dataset-error.ts'
import type { DatasetWarning } from '#cloud/dataset/raw-set.ts'
import { RECIPE_HELP, RECIPE_OPTIONS, type Recipe, recipeOf } from '#cloud/recipe.ts'
import { DEFAULT_TRAINING } from '#cloud/training/train.ts'
import { helpText } from '#shared/std/help-text.ts'
import { isMosquittoInstalled } from '#test/support/mosquitto.ts'
import { formatTable, groupMeans } from './compare.ts'
import { openProgressView } from './progress.ts'
import { type ChainReport, runChain } from './run-chain.ts'
import { parsePartial } from './subsets.ts'

const QUICK = { epochs: 4, sites: 200, resamples: 0 }

const HELP = `understory chain – train on a folder of data, send its test sites through a real station, compare

  understory chain --data FOLDER [options]

A broker (mosquitto) and a station are started; the model reaches the station by a signed release. Each test site
sends its readings as separate messages, over as many rounds as there are subsets of inputs, in each another subset.
Then the macro AUC of each subset, from what the station has stored, stands beside the trainer's own.

  --data FOLDER        with a dataset.json, or one of the disdat benchmark
  --modalities LIST    only these, separated by commas
  --window N           of a disdat folder: side of its image windows
  --patch N            and of their patches
  --partial LIST       parts of tables to measure, like climate.ddeg,climate.ddeg+climate.precyy
  --sites N            at most N test sites (default: all)
  --quick              at most ${QUICK.sites} sites, no pairs, ${QUICK.epochs} epochs
  --json               one JSON object as the last line
${RECIPE_HELP}

Exit codes: 0 the station answers as the trainer does, 1 it does not or something failed, 2 wrong use, 130 interrupted.
`

const list = z.string().transform((text) => text.split(',').filter((part) => part !== ''))

const OPTIONS = {
  ...RECIPE_OPTIONS,
  epochs: wholeNumber({ least: 1 }).optional(),
  resamples: wholeNumber({ least: 0, most: 10_000 }).optional(),
  data: z.string().min(1),
  modalities: list.optional(),
  window: wholeNumber({ least: 1, most: 1024 }).optional(),
  patch: wholeNumber({ least: 1, most: 1024 }).optional(),
  partial: list.optional(),
  sites: wholeNumber({ least: 1 }).optional(),
}

type Request = {
  readonly data: string
  readonly recipe: Recipe
  readonly modalities?: readonly string[]
  readonly window?: number
  readonly patch?: number
  readonly partial?: ReturnType<typeof parsePartial>[]
  readonly sites?: number
  readonly quick: boolean
  readonly json: boolean
}

const parseRequest = (args: readonly string[]): Request | 'help' => {
  const parsed = parseCommand(args, OPTIONS, ['quick', 'json'])
  if (parsed === 'help') return 'help'
  const { values, flags } = parsed
  const quick = flags.has('quick')
  const epochs = values.epochs ?? (quick ? QUICK.epochs : DEFAULT_TRAINING.epochs)
  const resamples = values.resamples ?? QUICK.resamples
  const sites = values.sites ?? (quick ? QUICK.sites : undefined)
  return {
    data: values.data,
    recipe: recipeOf({ ...values, epochs, resamples }),
    ...(values.modalities === undefined ? {} : { modalities: values.modalities }),
    ...(values.window === undefined ? {} : { window: values.window }),
    ...(values.patch === undefined ? {} : { patch: values.patch }),
    ...(values.partial === undefined ? {} : { partial: values.partial.map(parsePartial) }),
    ...(sites === undefined ? {} : { sites }),
    quick,
    json: flags.has('json'),
  }
}

/** Gives the exit code. */
export const chainCommand = async (args: string[]): Promise<number> => {
  let request: Request | 'help'
  try {
    request = parseRequest(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`understory chain: ${error.message}\n\n${HELP}`)
    return 2
  }
  if (request === 'help') {
    process.stdout.write(helpText(HELP))
    return 0
  }
  if (!isMosquittoInstalled()) {
    process.stderr.write('understory chain: mosquitto is not installed; on Debian: apt install mosquitto\n')
    return 1
  }
  return run(request)
}

const run = async (request: Request): Promise<number> => {
  const stopping = new AbortController()
  const stop = (signal: NodeJS.Signals) => stopping.abort(new Error(`stopped by ${signal}`))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  const folder = await mkdtemp(join(tmpdir(), 'chain-'))
  let keep = false
  try {
    using view = openProgressView(process.stderr)
    const { json: _, ...options } = request
    const report = await runChain({
      ...options,
      folder,
      signal: stopping.signal,
      onProgress: view.show,
      onWarning: warn,
    })
    view[Symbol.dispose]()
    print(request, report)
    for (const complaint of report.complaints) process.stderr.write(`understory chain: ${complaint}\n`)
    keep = report.complaints.length > 0
    return keep ? 1 : 0
  } catch (error) {
    if (stopping.signal.aborted) return 130
    if (!(error instanceof DatasetError)) keep = true
    process.stderr.write(`understory chain: ${explain(error)}\n`)
    return 1
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    if (keep) process.stderr.write(`understory chain: its files stay in ${folder}\n`)
    else await rm(folder, { recursive: true, force: true })
  }
}

const warn = ({ code, subject, count, detail }: DatasetWarning): void =>
  void process.stderr.write(`${code}: ${subject}: ${detail} (${count})\n`)

const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${explain(error.cause)})`
}

const print = (request: Request, report: ChainReport): void => {
  const { comparison, station, sites, labels, precision, seconds } = report
  const facts = `${sites} sites, ${labels.length} labels, ${station.sent.messages} readings, model ${station.version} (${precision})`
  process.stdout.write(`${formatTable(comparison)}\n${facts}, ${seconds.toFixed(0)} s\n`)
  if (request.json) process.stdout.write(`${JSON.stringify(asJson(request, report))}\n`)
}

const asJson = ({ data, recipe, quick }: Request, report: ChainReport) => {
  const { comparison, station } = report
  const { subsets } = comparison
  const side = (of: 'edge' | 'trainer') => Object.fromEntries(subsets.map((it) => [it.name, it[of]]))
  return {
    data,
    quick,
    maxAbsProbabilityDifference: comparison.maxAbsProbabilityDifference,
    maxAbsAucDifference: comparison.maxAbsAucDifference,
    auc: { edge: side('edge'), trainer: side('trainer') },
    average: comparison.average.edge,
    averageTrainer: comparison.average.trainer,
    groups: Object.fromEntries(groupMeans(comparison).map(({ group, edge }) => [group, edge])),
    seed: recipe.seed,
    strategy: report.strategy,
    maskMode: recipe.model.mode,
    epochs: recipe.epochs,
    workers: recipe.workers,
    sites: report.sites,
    labels: report.labels.length,
    model: station.version,
    precision: report.precision,
    dataset: report.datasetHash,
    messages: station.sent.messages,
    resent: station.sent.resent,
    readings: station.counts.readings,
    observations: station.counts.observations,
    revisions: station.counts.revisions,
    predictions: station.counts.predictions,
    complaints: report.complaints,
    trainingSeconds: Math.round(report.trainingSeconds * 10) / 10,
    seconds: Math.round(report.seconds * 10) / 10,
  }
}
