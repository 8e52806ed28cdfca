/** What an experiment is, as its folder keeps it, and where in the folder its runs are. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { UsageError } from './command-line.ts'
import { sourceSchema } from './data-source.ts'
import { subsetsToMeasure } from './evaluation/subsets.ts'
import { slotsOfColumn } from './experiment/columns.ts'
import { variantFolder } from './experiment/plan.ts'
import { type RunResult, runResultSchema } from './experiment/run-result.ts'
import type { Subset } from './model/subset.ts'
import { memorySchema } from './open-set.ts'
import { recipeSchema } from './recipe.ts'

/** `oracle`: no law for masks but a model of its own for each subset, trained on it alone. */
const variantStrategySchema = z.discriminatedUnion('name', [
  ...recipeSchema.shape.strategy.options,
  z.object({ name: z.literal('oracle') }),
])

export const STRATEGY_SCHEMAS = variantStrategySchema.options

const columnSchema = z.object({ name: z.string(), tokens: z.array(z.string()) })

/** Of a run; strategy and seed are its own, and it has one thread. */
const sharedRecipeSchema = recipeSchema.omit({ strategy: true, seed: true, workers: true })

const variantSchema = z.object({
  key: z.string(),
  strategy: variantStrategySchema,
  /** Instead of the recipe of the others. */
  recipe: sharedRecipeSchema.exactOptional(),
  /** What its recipe says otherwise than that of the others, as it was written. */
  options: z.record(z.string(), z.union([z.string(), z.number()])).exactOptional(),
})

const settingsSchema = z.object({
  schema: z.literal('experiment/1'),
  source: sourceSchema,
  /** Where the set lies; no part of what the experiment is. */
  memory: memorySchema.exactOptional(),
  recipe: sharedRecipeSchema,
  variants: z.array(variantSchema),
  seeds: z.array(z.int()),
  /** Measured besides the standard subsets, each a list of tokens. */
  partial: z.array(z.array(z.string())),
  /** Measured instead of the standard subsets; null: those. */
  columns: z.array(columnSchema).nullable(),
  /** What is measured: the test part (the validation part of a set without one), or what may be tuned on. */
  part: z.enum(['test', 'validation']).default('test'),
})

export type ExperimentSettings = z.infer<typeof settingsSchema>

export const SETTINGS_FILE = 'experiment.json'
export const LOGITS_FILE = 'logits.bin'

export const runFolder = (folder: string, variant: string, seed: number): string =>
  join(folder, 'runs', variantFolder(variant), `seed-${seed}`)

export const resultFile = (folder: string, variant: string, seed: number): string =>
  join(runFolder(folder, variant, seed), 'result.json')

/** Null when the file is not there. Throws a UsageError when it is no experiment's. */
export const readSettings = async (folder: string): Promise<ExperimentSettings | null> => {
  const json = await readIfThere(join(folder, SETTINGS_FILE))
  if (json === null) return null
  try {
    return settingsSchema.parse(JSON.parse(json))
  } catch (cause) {
    throw new UsageError(`--out: ${SETTINGS_FILE} of ${folder} is not that of an experiment`, { cause })
  }
}

export const readResult = async (folder: string, variant: string, seed: number): Promise<RunResult | null> => {
  const json = await readIfThere(resultFile(folder, variant, seed))
  return json === null ? null : runResultSchema.parse(JSON.parse(json))
}

const readIfThere = async (file: string): Promise<string | null> => {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

/** What every run is measured on. Throws a UsageError that names a token which isn't there. */
export const subsetsOf = (
  { partial, columns }: Pick<ExperimentSettings, 'partial' | 'columns'>,
  layout: TokenLayout,
): readonly Subset[] => {
  const names = layout.slots.map(({ name }) => name)
  const unknown = partial.flat().find((name) => !names.includes(name))
  if (unknown !== undefined) throw new UsageError(`--partial: no token "${unknown}"; there are ${names.join(', ')}`)
  const named = (columns ?? []).map((column) => {
    const slots = slotsOfColumn(layout, column)
    if (!slots.ok) throw new UsageError(`--subsets: ${slots.error}`)
    return { name: column.name, slots: slots.value }
  })
  const chosen = subsetsToMeasure(layout, [...named, ...partial.map((slots) => ({ slots }))])
  return columns === null ? chosen : chosen.slice(0, named.length + partial.length)
}
