/** A trained model as the next run may go on from it: configuration, specs, labels and the unfolded weights. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { modalitySpecSchema } from '#shared/bundle/manifest.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { fitSpecs } from './dataset/fit-specs.ts'
import type { RawSet } from './dataset/raw-set.ts'
import type { ModelConfig } from './model/config.ts'
import { parameterTable } from './model/parameters.ts'
import type { LabelSpec } from './model/training-set.ts'
import { recipeSchema } from './recipe.ts'

export type KeptModel = {
  readonly config: ModelConfig
  readonly specs: readonly ModalitySpec[]
  readonly labels: readonly LabelSpec[]
  /** x of the optimizer. */
  readonly weights: Float32Array
}

const keptSchema = z.object({
  schema: z.literal('kept-model/1'),
  config: recipeSchema.shape.model.extend({
    labels: z.int().positive(),
    task: z.enum(['multi-label', 'single-label']).exactOptional(),
  }),
  specs: z.array(modalitySpecSchema).min(1),
  labels: z.array(z.object({ name: z.string(), taxonId: z.string().nullable() })).min(1),
})

const FILES = { description: 'model.json', weights: 'weights.bin' } as const

export const KEPT_MODEL_FILES: readonly string[] = Object.values(FILES)

/** The description comes last: where it stands, the weights are whole. */
export const keepModel = async (folder: string, { weights, ...description }: KeptModel): Promise<void> => {
  const bytes = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)
  await writeFileAtomic(join(folder, FILES.weights), bytes)
  await writeFileAtomic(join(folder, FILES.description), JSON.stringify({ schema: 'kept-model/1', ...description }))
}

/** Null when a file of it is missing, damaged, or of another version of this program: a new model starts without it. */
export const readKeptModel = async (folder: string): Promise<KeptModel | null> => {
  const description = keptSchema.safeParse(parsedJson(await readOrEmpty(join(folder, FILES.description))))
  if (!description.success) return null
  const { schema: _, ...kept } = description.data
  const bytes = await readOrEmpty(join(folder, FILES.weights))
  if (bytes.length !== 4 * parameterTable(kept.config, layoutOf(kept.specs)).total) return null
  return { ...kept, weights: new Float32Array(Uint8Array.from(bytes).buffer) }
}

const readOrEmpty = async (file: string): Promise<Uint8Array> => {
  try {
    return await readFile(file)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return new Uint8Array()
    throw cause
  }
}

const parsedJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return null // nothing that a schema lets pass
  }
}

/**
 * Whether a model can go on learning from this data: sizes, labels and the shapes of its inputs are those that a new
 * one would get. Means and deviations may differ; the model then keeps its own, as its weights are used to them.
 */
export const canGoOn = (kept: KeptModel, raw: RawSet, config: ModelConfig): boolean =>
  isEqual(kept.config, config) &&
  isEqual(kept.labels, raw.labels) &&
  isEqual(kept.specs.map(shapeOf), fitSpecs(raw.templates, raw.examples).map(shapeOf))

const SCALES = new Set(['mean', 'deviation'])

const shapeOf = (spec: ModalitySpec): unknown =>
  JSON.parse(JSON.stringify(spec, (key, value) => (SCALES.has(key) ? undefined : value)))

/** Of plain values, whatever the order of their keys. */
const isEqual = (a: unknown, b: unknown): boolean => {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const [keys, others] = [Object.keys(a), Object.keys(b)]
  return (
    keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual(Reflect.get(a, key), Reflect.get(b, key)))
  )
}
