/** One run of the service, from its record to its outcome; what a child process does. May be repeated after any crash. */
import { readFile, rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { LabelledObservation } from '#shared/domain/labelled-observation.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { assert } from '#shared/std/assert.ts'
import { BundleError, type BundleModel, openBundleModel } from './bundle-model.ts'
import { refusedForms } from './bundle-text.ts'
import { compareModels } from './compare-models.ts'
import { buildTrainingSet } from './dataset/build-set.ts'
import { DatasetError } from './dataset/dataset-error.ts'
import { fromLabelled } from './dataset/from-store.ts'
import type { DatasetWarning, RawSet } from './dataset/raw-set.ts'
import { ExportError } from './export/export-error.ts'
import { type Comparison, heldTo, judgeModel, type Rival } from './gate.ts'
import { canGoOn, type KeptModel, keepModel, readKeptModel } from './kept-model.ts'
import type { TrainingSet } from './model/training-set.ts'
import { configOf, trainingOf } from './recipe.ts'
import { OUTCOME_FILE, type Outcome, openRuns, type Run, readOutcome, readRun } from './run-record.ts'
import { readStore } from './store/store.ts'
import { type BundleProgress, type TrainedBundle, trainBundle } from './train-bundle.ts'
import { TrainingError } from './training/training-error.ts'

/** What the child tells the service while it works. */
export type JobProgress = {
  readonly epoch: number
  readonly epochs: number
  /** s_m by modality and `all`, after an epoch; empty before the first. */
  readonly scores: Readonly<Record<string, number>>
  readonly etaSeconds: number | null
}

export type JobOptions = {
  readonly runsFolder: string
  readonly number: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: JobProgress) => void
}

export const BUNDLE_FOLDER = 'bundle'
const CHECKPOINTS = 'checkpoints'
const DATA_FILE = 'data.bin'

type Ended = Extract<Outcome, { readonly kind: 'trained' }>

/** Writes the outcome down and returns it. Throws what may pass when tried again, and the signal's reason. */
export const runJob = async (options: JobOptions): Promise<Outcome> => {
  const runs = openRuns(options.runsFolder)
  const folder = runs.folderOf(options.number)
  const earlier = await readOutcome(folder)
  if (earlier !== null) return earlier
  const run = await readRun(folder)
  assert(run !== null, 'a job has a record', { folder })
  const startedMs = performance.now()
  const seconds = (): number => (performance.now() - startedMs) / 1000
  const outcome = await learn(run, folder, options)
    .then((ended): Outcome => ({ ...ended, seconds: seconds() }))
    .catch(async (cause: unknown): Promise<Outcome> => {
      if (isPassing(cause)) {
        // The next attempt starts from the beginning.
        if (cause instanceof TrainingError) await rm(join(folder, CHECKPOINTS), { recursive: true, force: true })
        throw cause
      }
      const { code, message } = cause as Error & { code: string }
      return { kind: 'failed', code, message, seconds: seconds() }
    })
  await writeFileAtomic(join(folder, OUTCOME_FILE), `${JSON.stringify(outcome, null, 1)}\n`)
  return outcome
}

/** Whether another attempt with the same data may end better. */
const isPassing = (cause: unknown): boolean => {
  if (cause instanceof DatasetError || cause instanceof BundleError) return false
  if (cause instanceof TrainingError) return cause.code === 'damaged-checkpoint' || cause.code === 'other-checkpoint'
  return !(cause instanceof ExportError) || cause.code === 'runtime'
}

const learn = async (run: Run, folder: string, options: JobOptions): Promise<Omit<Ended, 'seconds'>> => {
  const { signal } = options
  const warnings: string[] = []
  const onWarning = (it: DatasetWarning): void => void warnings.push(`${it.subject}: ${it.count} × ${it.detail}`)
  const raw = fromLabelled(await readSnapshot(folder, run.storeFile), {
    minimumPositives: run.minimumPositives,
    onWarning,
  })
  const parentFolder = run.parentRun === null ? null : openRuns(options.runsFolder).folderOf(run.parentRun)
  const warn = (warning: string): void => void warnings.push(warning)
  const parent = parentFolder === null ? null : await goingOn(parentFolder, raw, run, warn)
  const set = buildTrainingSet(raw, parent === null ? { onWarning } : { specs: parent.specs, onWarning })
  const training = trainingOf(run.recipe, {
    labels: raw.labels.length,
    folder: join(folder, CHECKPOINTS),
    startFrom: parent?.weights ?? null,
  })
  const made = await trainBundle({
    set,
    training,
    family: run.family,
    parent: run.parent,
    createdAtMs: run.createdAtMs,
    bundleFolder: join(folder, BUNDLE_FOLDER),
    resamples: run.recipe.resamples,
    precision: run.recipe.precision,
    signal,
    onProgress: progressTeller(set, training.epochs, options.onProgress),
  })
  const { config, weights } = made.trained
  await keepModel(folder, { config, weights, specs: set.specs, labels: set.labels })
  const rivals = await meetRivals({ run, folder, runsFolder: options.runsFolder, raw, set, made, signal, warn })
  return {
    kind: 'trained',
    ...recordOf(set, made),
    start: parent === null ? 'random' : 'parent',
    verdict: {
      ...judgeModel(made.evaluation.validation, rivals, { tolerance: run.tolerance }),
      comparison: rivals[0]?.comparison ?? null,
    },
    reference: rivals[1] ?? null,
    heldTo: heldTo(rivals),
    warnings: [...warnings, ...refusedForms(made.manifest)],
  }
}

/**
 * The data of this run: the store as it was when the run first looked. A checkpoint belongs to its data, and the
 * store grows while the run is interrupted.
 */
const readSnapshot = async (folder: string, storeFile: string): Promise<readonly LabelledObservation[]> => {
  const file = join(folder, DATA_FILE)
  try {
    return deserialize(await readFile(file)) as readonly LabelledObservation[]
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause
  }
  const labelled = readStore(storeFile)
  await writeFileAtomic(file, serialize(labelled))
  return labelled
}

/** The parent's model, if it is whole and can go on learning from these data. */
const goingOn = async (
  parentFolder: string,
  raw: RawSet,
  { recipe, parentRun }: Run,
  warn: (warning: string) => void,
): Promise<KeptModel | null> => {
  const kept = await readKeptModel(parentFolder)
  if (kept === null) {
    warn(`run ${parentRun}: its weights are missing or damaged, so this one starts from random ones`)
    return null
  }
  return canGoOn(kept, raw, configOf(recipe, raw.labels.length)) ? kept : null
}

type RivalOptions = {
  readonly run: Run
  readonly folder: string
  readonly runsFolder: string
  readonly raw: RawSet
  readonly set: TrainingSet
  readonly made: TrainedBundle
  readonly signal: AbortSignal
  readonly warn: (warning: string) => void
}

/**
 * The current model first, then the reference if it is another. None before the first one is published. A reference that
 * is no whole bundle any more judges nothing, or no model would ever be published again; a current one throws.
 */
const meetRivals = async ({
  run,
  folder,
  runsFolder,
  raw,
  set,
  made,
  signal,
  warn,
}: RivalOptions): Promise<readonly Rival[]> => {
  if (run.parentRun === null) return []
  await using own = await openBundleModel(join(folder, BUNDLE_FOLDER))
  const candidate = { set, evaluation: made.evaluation.validation, predict: own.predict }
  const { traffic, trafficShare } = run
  const compare = async (number: number): Promise<Comparison | null> => {
    await using rival = await openBundleModel(join(openRuns(runsFolder).folderOf(number), BUNDLE_FOLDER))
    if (number === run.parentRun) for (const name of lostLabels(rival, set)) warn(`"${name}" is named no more`)
    // Awaited here: the model is closed when this returns.
    return await compareModels({ current: rival, raw, candidate, traffic, trafficShare, signal })
  }
  const rivals: Rival[] = [{ role: 'current', run: run.parentRun, comparison: await compare(run.parentRun) }]
  const { referenceRun } = run
  if (referenceRun === null || referenceRun === run.parentRun) return rivals
  const comparison = await compare(referenceRun).catch((cause: unknown) => {
    if (!(cause instanceof BundleError)) throw cause
    warn(`run ${referenceRun}: this one is not held to it: ${cause.message}`)
    return null
  })
  return [...rivals, { role: 'reference', run: referenceRun, comparison }]
}

/** What the current model names and the new one does not: scores say nothing of it, for they are of shared labels. */
const lostLabels = ({ manifest }: BundleModel, { labels }: TrainingSet): readonly string[] => {
  const known = new Set(labels.map(({ name }) => name))
  return manifest.labels.map(({ name }) => name).filter((name) => !known.has(name))
}

const recordOf = (set: TrainingSet, { trained, manifest, calibrationError }: TrainedBundle) => ({
  dataHash: set.hash,
  examples: { train: set.train.ids.length, validation: set.validation.ids.length },
  strategy: { ...trained.strategy },
  epochs: trained.epochs.length,
  selectedEpoch: trained.selectedEpoch,
  scores: manifest.scores.map(({ subset, value, low, high }) => ({ subset, value, low, high })),
  calibrationError,
  notes: [...trained.notes],
  host: `${process.platform}-${process.arch}, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`,
})

const progressTeller =
  ({ layout }: TrainingSet, epochs: number, tell: (progress: JobProgress) => void) =>
  (progress: BundleProgress): void => {
    if (progress.kind === 'started') tell({ epoch: 0, epochs, scores: {}, etaSeconds: null })
    if (progress.kind !== 'epoch') return
    const { epoch, scores, all } = progress.record
    const named = Object.fromEntries(layout.modalities.map((name, m) => [name, scores[m]!]))
    tell({ epoch, epochs, scores: { ...named, all }, etaSeconds: Math.round(progress.etaMs / 1000) })
  }
