/**
 * Runs of the service on disk, a folder each: `run.json` says what is to be done and how far it has come, the child
 * process adds `data.bin`, `checkpoints/`, `bundle/`, the kept model and, last, `outcome.json`.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { syncFolder, writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { ConfigError } from '#shared/std/config-error.ts'
import { DEFAULT_TRAFFIC_SHARE } from './judged-subsets.ts'
import { recipeSchema } from './recipe.ts'

const scoresSchema = z.array(z.object({ subset: z.string(), value: z.number(), low: z.number(), high: z.number() }))

/** NaN, which JSON writes as null. */
const measured = z.union([z.number(), z.null().transform(() => Number.NaN)])

const changeSchema = z.object({
  subset: z.string(),
  predictions: z.int().nullable(),
  before: measured,
  after: measured,
  low: measured,
  high: measured,
})

const comparisonSchema = z
  .object({
    before: measured,
    after: measured,
    subsets: z.array(z.string()).readonly(),
    labels: z.array(z.string()).readonly(),
    judged: z.array(changeSchema).readonly().default([]),
  })
  .nullable()

const role = z.enum(['current', 'reference'])

const outcomeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('trained'),
    dataHash: z.string(),
    examples: z.object({ train: z.int(), validation: z.int() }),
    /** Where its weights started from. */
    start: z.enum(['parent', 'random']),
    strategy: z.record(z.string(), z.unknown()),
    epochs: z.int(),
    selectedEpoch: z.int(),
    scores: scoresSchema,
    calibrationError: z.object({ before: measured, after: measured }),
    verdict: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('publish'), comparison: comparisonSchema }),
      z.object({
        kind: z.literal('refuse'),
        reason: z.string(),
        comparison: comparisonSchema,
        fell: z
          .array(changeSchema.extend({ against: role }))
          .readonly()
          .default([]),
      }),
    ]),
    /** The model that nothing has been lost against since, if it is not the current one. */
    reference: z.object({ run: z.int(), comparison: comparisonSchema }).nullable().default(null),
    /** Number of the run that later ones are held to once this one is published; null: this one. */
    heldTo: z.int().nullable().default(null),
    warnings: z.array(z.string()),
    notes: z.array(z.string()),
    host: z.string(),
    /** Of the attempt that ended it. */
    seconds: z.number(),
  }),
  /** Trying again with the same data would fail again. */
  z.object({ kind: z.literal('failed'), code: z.string(), message: z.string(), seconds: z.number() }),
])

export type Outcome = z.infer<typeof outcomeSchema>

const runSchema = z.object({
  schema: z.literal('run/1'),
  number: z.int().positive(),
  createdAtMs: z.number(),
  /** When its outcome was seen, so this includes all attempts and the time between them. */
  endedAtMs: z.number().nullable().default(null),
  family: z.string(),
  /** Version of the model that this one is to replace. */
  parent: z.string().nullable(),
  /** Number of the run that made it. */
  parentRun: z.int().nullable(),
  /** Number of the published run that nothing has been lost against since; may be the parent run. */
  referenceRun: z.int().nullable().default(null),
  recipe: recipeSchema,
  storeFile: z.string(),
  tolerance: z.number(),
  /** What stations asked their models with when it was planned. */
  traffic: z.array(z.object({ modalities: z.array(z.string()), predictions: z.int() })).default([]),
  /** Least share of it that makes a subset a judged one. */
  trafficShare: z.number().default(DEFAULT_TRAFFIC_SHARE),
  minimumPositives: z.int(),
  /** Labelled observations when it was planned. */
  labelled: z.int(),
  /** How often its child process ended without an outcome and without being asked to. */
  failures: z.int(),
  state: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('running') }),
    z.object({ kind: z.literal('failed') }),
    z.object({ kind: z.literal('refused') }),
    /** To be published, or published but not yet asked for. */
    z.object({ kind: z.literal('accepted') }),
    z.object({
      kind: z.literal('published'),
      version: z.string(),
      releaseCounter: z.int(),
      generation: z.int(),
    }),
  ]),
  outcome: outcomeSchema.nullable(),
})

export type Run = z.infer<typeof runSchema>

export type RunFolder = {
  readonly folderOf: (number: number) => string
  /** All runs, the oldest first. Throws a ConfigError for a record that can't be read. */
  readonly list: () => Promise<readonly Run[]>
  /** Makes its folder when it is new. Durable on return. */
  readonly write: (run: Run) => Promise<void>
  /** Removes everything but the record and what was put aside. Harmless when repeated. */
  readonly strip: (number: number, keep: readonly string[]) => Promise<void>
}

const RUN_FILE = 'run.json'
export const OUTCOME_FILE = 'outcome.json'
const ASIDE = '.damaged'

export const openRuns = (folder: string): RunFolder => {
  const folderOf = (number: number): string => join(folder, `${number}`.padStart(6, '0'))
  return {
    folderOf,
    list: async () => {
      await mkdir(folder, { recursive: true })
      const names = (await readdir(folder)).filter((name) => /^\d{6,}$/.test(name)).sort()
      const runs = await Promise.all(names.map((name) => readRun(join(folder, name))))
      return runs.filter((run) => run !== null)
    },
    write: async (run) => {
      await mkdir(folderOf(run.number), { recursive: true })
      await writeFileAtomic(join(folderOf(run.number), RUN_FILE), `${JSON.stringify(run, null, 1)}\n`)
    },
    strip: async (number, keep) => {
      for (const name of await readdir(folderOf(number))) {
        if (name === RUN_FILE || name.endsWith(ASIDE) || keep.includes(name)) continue
        await rm(join(folderOf(number), name), { recursive: true, force: true })
      }
    },
  }
}

/** Null for a folder whose record was never written: nothing was begun in it. Throws a ConfigError for a damaged one. */
export const readRun = async (folder: string): Promise<Run | null> => {
  const file = join(folder, RUN_FILE)
  const json = await readIfThere(file)
  if (json === null) return null
  try {
    return runSchema.parse(JSON.parse(json))
  } catch (cause) {
    // Without it nobody knows which model new ones are held to, so nothing is trained before a person has decided.
    const hint =
      'restore it from a backup, or, if a newer version wrote it, use that one; a run that was not published may be moved away with its folder'
    throw new ConfigError(`${file} is no record of a run`, hint, { cause })
  }
}

/** A file of a run that can't be read, and why. */
export type Damage = { readonly file: string; readonly detail: string }

/** Null when there is none. One that is damaged is put aside and told, and there is none: the run is then done again. */
export const readOutcome = async (folder: string, onDamage?: (damage: Damage) => void): Promise<Outcome | null> => {
  const file = join(folder, OUTCOME_FILE)
  const json = await readIfThere(file)
  if (json === null) return null
  try {
    return outcomeSchema.parse(JSON.parse(json))
  } catch (cause) {
    await putOutcomeAside(folder)
    onDamage?.({ file, detail: cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause) })
    return null
  }
}

/** As `outcome.json.damaged`, for whoever wants to know what has happened. Harmless when there is none. */
export const putOutcomeAside = async (folder: string): Promise<void> => {
  const file = join(folder, OUTCOME_FILE)
  if ((await readIfThere(file)) === null) return
  await rename(file, `${file}${ASIDE}`)
  await syncFolder(dirname(file))
}

const readIfThere = async (file: string): Promise<string | null> => {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}
