/** `trainer train` and `trainer export`: data to bundle, and checkpoint to bundle. */
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isLevel } from '#shared/domain/ids.ts'
import { taskOf } from '#shared/domain/task.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { helpText } from '#shared/std/help-text.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { calibrationLines, precisionLines } from './bundle-text.ts'
import { parseCommand, realNumber, UsageError } from './command-line.ts'
import { SOURCE_HELP, SOURCE_OPTIONS, sourceOf, sourceSchema } from './data-source.ts'
import type { DatasetWarning, RawSet } from './dataset/raw-set.ts'
import { averageOf, type Evaluation } from './evaluation/evaluate.ts'
import { foreignEntry } from './export/write-bundle.ts'
import { withLabelShare } from './label-share.ts'
import type { TrainingSet } from './model/training-set.ts'
import { defaultMemory, MEMORY_HELP, MEMORY_OPTIONS, memoryOf, memorySchema, openSet } from './open-set.ts'
import { type PretrainedModel, readPretrained, recipeFrom, requireSameInputs } from './pretrained-model.ts'
import { startingWeights } from './pretraining/start.ts'
import { openProgressBar } from './progress-bar.ts'
import {
  configOf,
  PRECISION_HELP,
  PRECISION_OPTION,
  RECIPE_HELP,
  RECIPE_OPTIONS,
  recipeOf,
  recipeSchema,
  trainingOf,
} from './recipe.ts'
import { scoreTable } from './score-table.ts'
import { type TrainedBundle, trainBundle } from './train-bundle.ts'
import { TrainingError } from './training/training-error.ts'

const TRAIN_HELP = `understory trainer train – trains a model and writes its bundle

  --out FOLDER         the bundle: model.onnx, vectors.json, manifest.json; a bundle that is there is replaced
  --checkpoints FOLDER  of this run (default <out>.run); the same command goes on from them after a stop or a crash
  --family NAME        model family (default valley)
  --partial LIST       more subsets to measure: tokens joined by commas, subsets by semicolons ("climate.bio1;…")
  --start-from FOLDER  of "trainer pretrain": goes on from its encoder, with its sizes and its scales of the inputs
  --probe              with --start-from: the encoder stays as it is, only the head is trained, under the masking of the
                       pre-training as it leant at its end
  --label-share P      learn from a share of the labelled training part, above 0 and up to 1, drawn by the seed (default 1)
${SOURCE_HELP}${MEMORY_HELP}
${RECIPE_HELP}
  --json               the last line of standard output is the result as one JSON object
  --help

Progress goes to standard error. Ctrl-C leaves a checkpoint.
`

const EXPORT_HELP = `understory trainer export – writes the bundle of a run that was stopped

  --checkpoint FOLDER  of "trainer train" (its --checkpoints)
  --out FOLDER         the bundle
${PRECISION_HELP}
                       (default here: what the run was started with)
  --json               the last line of standard output is the result as one JSON object
  --help
`

const settingsSchema = z.object({
  schema: z.literal('training/1'),
  source: sourceSchema,
  memory: memorySchema.exactOptional(),
  recipe: recipeSchema,
  family: z.string(),
  partial: z.array(z.array(z.string())),
  /** Left out where training starts from random weights and learns from all labels. */
  start: z.object({ folder: z.string(), isProbe: z.boolean() }).exactOptional(),
  labelShare: z.number().gt(0).max(1).exactOptional(),
})

type Settings = z.infer<typeof settingsSchema>

const SETTINGS_FILE = 'settings.json'

const level = z.string().refine(isLevel, 'must be 1 to 32 of a-z, 0-9, _ and -')

export const trainModel = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const shape = {
    ...SOURCE_OPTIONS,
    ...MEMORY_OPTIONS,
    ...RECIPE_OPTIONS,
    out: z.string().min(1),
    checkpoints: z.string().min(1).optional(),
    family: level.default('valley'),
    partial: z.string().min(1).optional(),
    'start-from': z.string().min(1).optional(),
    'label-share': realNumber({ above: 0, most: 1 }).default(1),
  }
  const parsed = parseCommand(args, shape, ['json', 'probe'])
  if (parsed === 'help') return help(TRAIN_HELP)
  const { values, flags } = parsed
  const isProbe = flags.has('probe')
  const startFolder = values['start-from'] === undefined ? null : resolve(values['start-from'])
  if (isProbe && startFolder === null) throw new UsageError('--probe needs the encoder of --start-from')
  const recipe = recipeOf(values)
  const settings: Settings = {
    schema: 'training/1',
    source: sourceOf(values),
    memory: memoryOf(values),
    recipe: startFolder === null ? recipe : recipeFrom(await readPretrained(startFolder), recipe, { args, isProbe }),
    ...(startFolder === null ? {} : { start: { folder: startFolder, isProbe } }),
    ...(values['label-share'] === 1 ? {} : { labelShare: values['label-share'] }),
    family: values.family,
    partial: (values.partial ?? '').split(';').flatMap((text) => (text === '' ? [] : [text.split(',')])),
  }
  const bundleFolder = resolve(values.out)
  const checkpoints = resolve(values.checkpoints ?? `${bundleFolder}.run`)
  return make(settings, { bundleFolder, checkpoints, json: flags.has('json'), signal, isNew: true })
}

export const exportModel = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const shape = {
    checkpoint: z.string().min(1),
    out: z.string().min(1),
    precision: PRECISION_OPTION.precision.unwrap().optional(),
  }
  const parsed = parseCommand(args, shape, ['json'])
  if (parsed === 'help') return help(EXPORT_HELP)
  const { values, flags } = parsed
  const checkpoints = resolve(values.checkpoint)
  const settings = await readSettings(checkpoints)
  // A run that has done its epochs ends at once, with the weights of its checkpoint.
  const { precision = settings.recipe.precision } = values
  const recipe = { ...settings.recipe, epochs: 1, ...(precision === undefined ? {} : { precision }) }
  const places = { bundleFolder: resolve(values.out), checkpoints }
  return make({ ...settings, recipe }, { ...places, json: flags.has('json'), signal, isNew: false })
}

type MakeOptions = {
  readonly bundleFolder: string
  readonly checkpoints: string
  readonly json: boolean
  readonly signal: AbortSignal
  readonly isNew: boolean
}

const make = async (settings: Settings, options: MakeOptions): Promise<number> => {
  const { bundleFolder, checkpoints, signal } = options
  const { source, recipe, family, partial } = settings
  await requirePlace(bundleFolder)
  const pretrained = settings.start === undefined ? null : await readPretrained(settings.start.folder)
  using whole = await openSet(source, {
    memory: settings.memory ?? defaultMemory(),
    ...(pretrained === null
      ? {}
      : { specs: pretrained.specs, check: (raw: Pick<RawSet, 'templates'>) => requireSameInputs(pretrained, raw) }),
    onWarning: warn,
    onNote: note,
    signal,
  })
  const set = withLabelShare(whole, settings.labelShare ?? 1, recipe.seed)
  requireTokens(partial.flat(), set.layout)
  const giveBack = options.isNew ? await writeSettings(checkpoints, settings) : null
  using bar = openProgressBar(set)
  const made = await trainBundle({
    set,
    training: trainingFrom(pretrained, settings, set, checkpoints),
    family,
    parent: null,
    createdAtMs: Date.now(),
    bundleFolder,
    partial: partial.map((slots) => ({ slots })),
    resamples: recipe.resamples,
    precision: recipe.precision,
    signal,
    onProgress: bar.show,
  }).catch(async (cause: unknown) => {
    if (cause instanceof TrainingError && cause.code === 'other-checkpoint') await giveBack?.()
    throw cause
  })
  process.stdout.write(`${summaryText(made, bundleFolder)}\n`)
  if (options.json) process.stdout.write(`${JSON.stringify(summaryOf(made, bundleFolder))}\n`)
  return 0
}

const trainingFrom = (
  pretrained: PretrainedModel | null,
  { recipe, start }: Settings,
  { labels, task, layout }: TrainingSet,
  folder: string,
): ReturnType<typeof trainingOf> => {
  const place = { labels: labels.length, task, folder }
  if (pretrained === null) return trainingOf(recipe, place)
  const config = configOf(recipe, labels.length, task)
  const startFrom = startingWeights(config, layout, pretrained.weights, recipe.seed)
  const training = trainingOf(recipe, { ...place, startFrom })
  return start?.isProbe === true ? { ...training, probe: pretrained.scores } : training
}

/** A bundle replaces the one that is there as a whole; nothing else may be lost by it. */
const requirePlace = async (bundleFolder: string): Promise<void> => {
  const foreign = await foreignEntry(bundleFolder)
  if (foreign === null) return
  throw new UsageError(`--out: ${bundleFolder} holds more than a bundle (${foreign}); name a new folder`)
}

const requireTokens = (names: readonly string[], { slots }: TokenLayout): void => {
  const unknown = names.find((name) => !slots.some((slot) => slot.name === name))
  if (unknown === undefined) return
  throw new UsageError(`--partial: no token "${unknown}"; there are ${slots.map(({ name }) => name).join(', ')}`)
}

/** Gives what puts the former settings back, for a folder whose checkpoints turn out to be of another run. */
const writeSettings = async (folder: string, settings: Settings): Promise<() => Promise<void>> => {
  await mkdir(folder, { recursive: true })
  const file = join(folder, SETTINGS_FILE)
  const former = await readFile(file).catch(() => null) // a folder without settings is a new one
  await writeFileAtomic(file, `${JSON.stringify(settings, null, 1)}\n`)
  return async () => {
    if (former !== null) await writeFileAtomic(file, former)
  }
}

const readSettings = async (folder: string): Promise<Settings> => {
  try {
    return settingsSchema.parse(JSON.parse(await readFile(join(folder, SETTINGS_FILE), 'utf8')))
  } catch (cause) {
    throw new UsageError(`--checkpoint: ${folder} holds no run of "trainer train"`, { cause })
  }
}

const help = (text: string): number => {
  process.stdout.write(helpText(text))
  return 0
}

const note = (text: string): void => void process.stderr.write(`note: ${text}\n`)

const warn = ({ subject, count, detail }: DatasetWarning): void =>
  void process.stderr.write(`note: ${subject}: ${count} × ${detail}\n`)

const summaryText = ({ manifest, evaluation, trained }: TrainedBundle, bundleFolder: string): string => {
  const { validation, test } = evaluation
  const part = test === null ? 'validation' : 'test'
  const { scores, average, observations } = test ?? validation
  return [
    `${bundleFolder}: epoch ${trained.selectedEpoch}, measured on ${observations} observations of the ${part} part`,
    scoreTable(scores, average, taskOf(manifest)),
    ...calibrationLines(manifest),
    ...precisionLines(manifest),
  ].join('\n')
}

const summaryOf = (
  { manifest, trained, evaluation, calibrationError, verification }: TrainedBundle,
  bundle: string,
) => ({
  bundle,
  family: manifest.family,
  dataHash: manifest.provenance.datasetHash,
  seed: trained.seed,
  strategy: trained.strategy,
  epochs: trained.epochs.length,
  selectedEpoch: trained.selectedEpoch,
  [taskOf(manifest) === 'single-label' ? 'top1' : 'auc']: {
    validation: valuesOf(evaluation.validation),
    test: evaluation.test && valuesOf(evaluation.test),
  },
  average: averageOf((evaluation.test ?? evaluation.validation).scores),
  scores: manifest.scores,
  calibration: manifest.calibration,
  calibrationError,
  calibrationErrors: manifest.calibrationErrors,
  precision: manifest.precision,
  verification,
  unlearnable: trained.unlearnable,
  notes: trained.notes,
  seconds: trained.seconds,
})

const valuesOf = ({ scores }: Evaluation): Readonly<Record<string, number>> =>
  Object.fromEntries(scores.map(({ subset, value }) => [subset, value]))
