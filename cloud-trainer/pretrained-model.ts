/**
 * A pre-trained encoder on disk: `pretrained.bin`, one file in the format of checkpoints, which carries its own hash. It
 * holds configuration, fitted specs, masking, and the weights of encoder and decoder.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { modalitySpecSchema } from '#shared/bundle/manifest.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { UsageError } from './command-line.ts'
import type { ModalityTemplate, RawSet } from './dataset/raw-set.ts'
import type { Pretrained } from './pretraining/pretrain.ts'
import { type Recipe, recipeSchema, STRATEGY_OPTIONS } from './recipe.ts'
import { decodeCheckpoint, encodeCheckpoint } from './training/checkpoint-file.ts'
import { differences } from './training/settings.ts'

const FILE = 'pretrained.bin'

const numbers = z.array(z.number())

const headerSchema = z.object({
  schema: z.literal('pretrained/1'),
  model: recipeSchema.shape.model,
  specs: z.array(modalitySpecSchema).min(1),
  /** As it was asked for. */
  strategy: recipeSchema.shape.strategy,
  /** What leant the masks at the end, s_m of the last two epochs. */
  scores: z.object({ previous: numbers.nullable(), last: numbers.nullable() }),
  seed: z.int(),
  dataHash: z.string(),
  epochs: z.int(),
  selectedEpoch: z.int(),
})

export type PretrainedModel = z.infer<typeof headerSchema> & {
  /** By `reconstructionTable`: the encoder, then the decoder. */
  readonly weights: Float32Array
}

export type PretrainedOrigin = Pick<Recipe, 'model' | 'strategy'> & {
  readonly specs: readonly ModalitySpec[]
  readonly dataHash: string
}

export const writePretrained = async (folder: string, made: Pretrained, origin: PretrainedOrigin): Promise<void> => {
  const { weights, scale, scores, seed, epochs, selectedEpoch } = made
  const header = { schema: 'pretrained/1', ...origin, scores, seed, epochs: epochs.length, selectedEpoch }
  const arrays = { weights, mean: scale.mean, deviation: scale.deviation }
  await writeFileAtomic(join(folder, FILE), encodeCheckpoint({ generation: 1, header, arrays }))
}

/** Throws a UsageError when the folder holds none, or a damaged one. */
export const readPretrained = async (folder: string): Promise<PretrainedModel> => {
  const refuse = (why: string, cause?: unknown): never => {
    throw new UsageError(`--start-from: ${folder} holds no model of "trainer pretrain": ${why}`, { cause })
  }
  const bytes = await readFile(join(folder, FILE)).catch((cause: unknown) => refuse(`there is no ${FILE}`, cause))
  const decoded = decodeCheckpoint(bytes)
  if (!decoded.ok) return refuse(`${FILE}: ${decoded.error}`)
  const parsed = headerSchema.safeParse(decoded.value.header)
  return parsed.success
    ? { ...parsed.data, weights: decoded.value.arrays.weights! }
    : refuse(`${FILE} is of another version: ${z.prettifyError(parsed.error)}`)
}

/** What of a model its command line can say. */
const SIZES = {
  width: 'width',
  layers: 'layers',
  heads: 'heads',
  'feed-forward': 'feedForward',
  'mask-mode': 'mode',
} as const

/**
 * The recipe of a run that goes on from a pre-trained encoder: sizes and mask mode are the encoder's, and in a probe the
 * strategy is that of the pre-training. Throws a UsageError when the command line (`args`) asks for others.
 */
export const recipeFrom = (
  { model, strategy }: PretrainedModel,
  recipe: Recipe,
  { args, isProbe }: { readonly args: readonly string[]; readonly isProbe: boolean },
): Recipe => {
  const isGiven = (option: string) => args.some((word) => word === `--${option}` || word.startsWith(`--${option}=`))
  for (const [option, name] of Object.entries(SIZES)) {
    if (!isGiven(option) || recipe.model[name] === model[name]) continue
    throw new UsageError(`--${option} ${recipe.model[name]}: the pre-trained model has ${model[name]}`)
  }
  const asked = ['strategy', ...STRATEGY_OPTIONS].find(isGiven)
  if (isProbe && asked !== undefined) throw new UsageError(`--${asked}: a probe keeps the masking of its pre-training`)
  const { dropout: _, ...sizes } = model
  const { dropout } = recipe.model
  return {
    ...recipe,
    model: { ...sizes, ...(dropout === undefined ? {} : { dropout }) },
    strategy: isProbe ? strategy : recipe.strategy,
  }
}

/** Throws a UsageError that names what differs where the data's modalities are not those of the pre-training. */
export const requireSameInputs = ({ specs }: PretrainedModel, { templates }: Pick<RawSet, 'templates'>): void => {
  const [had, has] = [specs, templates].map((all) => all.map(({ name }) => name))
  const different =
    had!.join() === has!.join()
      ? specs.flatMap((spec, i) => differences(outlineOf(spec), outlineOf(templates[i]!), spec.name))
      : [`modalities were ${had!.join(', ')}, are ${has!.join(', ')}`]
  if (different.length === 0) return
  throw new UsageError(`--start-from: pre-trained on other inputs than these: ${different.join('; ')}`)
}

/** What was fitted to a training part; its categories too, where they came from there. */
const FITTED = new Set(['mean', 'deviation', 'categories'])

/** A modality by what is not fitted, its variables by name. */
const outlineOf = (modality: ModalitySpec | ModalityTemplate): unknown =>
  JSON.parse(
    JSON.stringify(modality, (key, value) => {
      if (FITTED.has(key)) return undefined
      return key === 'variables' ? (value as readonly Variable[]).map(variableName).join(', ') : value
    }),
  )

type Variable = string | { readonly name: string; readonly type?: string }

const variableName = (variable: Variable): string => {
  if (typeof variable === 'string') return variable
  return variable.type === 'category' ? `${variable.name} (categories)` : variable.name
}
