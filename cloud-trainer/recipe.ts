/** How a model is to be trained, as data: what the command line says, and what the record of a run keeps. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { realNumber, UsageError, wholeNumber } from './command-line.ts'
import { defaultModelConfig, type ModelConfig } from './model/config.ts'
import { DEFAULT_TRAINING, type TrainOptions } from './training/train.ts'

const strategySchema = z.discriminatedUnion('name', [
  z.object({
    name: z.literal('miam'),
    kappa: z.number().positive().exactOptional(),
    lambdaScore: z.number().nonnegative().exactOptional(),
    lambdaSpeed: z.number().nonnegative().exactOptional(),
  }),
  z.object({ name: z.literal('uniform') }),
  z.object({ name: z.literal('dropout'), rate: z.number().min(0).max(1).exactOptional() }),
  z.object({ name: z.literal('none') }),
])

const size = z.int().positive()

export const recipeSchema = z.object({
  model: z.object({
    width: size,
    layers: size,
    heads: size,
    feedForward: size,
    activation: z.enum(['gelu', 'relu']),
    mode: z.enum(['drop', 'replace']),
    frequencies: size,
    frequencySigma: z.number().positive(),
  }),
  strategy: strategySchema,
  seed: z.int().nonnegative(),
  epochs: size,
  batchSize: size,
  learningRate: z.number().positive(),
  weightDecay: z.number().nonnegative(),
  warmupSteps: z.int().nonnegative(),
  patience: size.nullable(),
  select: z.enum(['last', 'best']),
  workers: size,
  resamples: z.int().nonnegative(),
})

export type Recipe = z.infer<typeof recipeSchema>

export const RECIPE_OPTIONS = {
  strategy: z.enum(['miam', 'uniform', 'dropout', 'none']).default('miam'),
  kappa: realNumber({ above: 0 }).optional(),
  'lambda-score': realNumber({ least: 0 }).optional(),
  'lambda-speed': realNumber({ least: 0 }).optional(),
  rate: realNumber({ least: 0, most: 1 }).optional(),
  'mask-mode': z.enum(['drop', 'replace']).default('drop'),
  seed: wholeNumber({ least: 0 }).default(1),
  epochs: wholeNumber({ least: 1 }).default(DEFAULT_TRAINING.epochs),
  'batch-size': wholeNumber({ least: 1 }).default(DEFAULT_TRAINING.batchSize),
  'learning-rate': realNumber({ above: 0 }).default(DEFAULT_TRAINING.learningRate),
  'weight-decay': realNumber({ least: 0 }).default(DEFAULT_TRAINING.weightDecay),
  'warmup-steps': wholeNumber({ least: 0 }).default(DEFAULT_TRAINING.warmupSteps),
  patience: wholeNumber({ least: 1 }).optional(),
  select: z.enum(['last', 'best']).default(DEFAULT_TRAINING.select),
  width: wholeNumber({ least: 1, most: 4096 }).default(64),
  layers: wholeNumber({ least: 1, most: 64 }).default(3),
  heads: wholeNumber({ least: 1, most: 64 }).default(8),
  'feed-forward': wholeNumber({ least: 1, most: 16384 }).optional(),
  workers: wholeNumber({ least: 1, most: 256 }).default(() => availableParallelism()),
  resamples: wholeNumber({ least: 0, most: 10_000 }).default(200),
} as const

export type RecipeValues = z.output<z.ZodObject<typeof RECIPE_OPTIONS>>

export const RECIPE_HELP = `
  --strategy NAME      miam (default), uniform, dropout or none: how inputs are hidden in training
  --kappa N            of miam: how sharp the corners are (default 10)
  --lambda-score N     of miam: weight of the score imbalance (default 1)
  --lambda-speed N     of miam: weight of the speed imbalance (default 1)
  --rate P             of dropout: probability that a modality is hidden (default 0.1)
  --mask-mode MODE     drop (default): hidden tokens leave the sequence; replace: a learned vector stands in
  --seed N             of everything random (default 1)
  --epochs N           (default ${DEFAULT_TRAINING.epochs})
  --batch-size N       (default ${DEFAULT_TRAINING.batchSize})
  --learning-rate X    (default ${DEFAULT_TRAINING.learningRate})
  --weight-decay X     (default ${DEFAULT_TRAINING.weightDecay})
  --warmup-steps N     (default ${DEFAULT_TRAINING.warmupSteps})
  --patience N         stop after so many epochs without a better score (default: never)
  --select WHICH       epoch that is kept: last (default) or best
  --width N            numbers per token (default 64); divisible by the heads
  --layers N           (default 3)
  --heads N            (default 8)
  --feed-forward N     (default four times the width)
  --workers N          threads (default: all cores); equal bits need an equal number
  --resamples N        of the bootstrap behind the intervals (default 200)`

const strategyOf = (values: RecipeValues): Recipe['strategy'] => {
  const given = <K extends string>(name: K, value: number | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { [key in K]?: number }
  switch (values.strategy) {
    case 'miam':
      return {
        name: 'miam',
        ...given('kappa', values.kappa),
        ...given('lambdaScore', values['lambda-score']),
        ...given('lambdaSpeed', values['lambda-speed']),
      }
    case 'dropout':
      return { name: 'dropout', ...given('rate', values.rate) }
    default:
      return { name: values.strategy }
  }
}

/** Throws a UsageError when the values contradict one another. */
export const recipeOf = (values: RecipeValues): Recipe => {
  const { labels: _, ...model } = defaultModelConfig(1)
  const { width, layers, heads } = values
  if (width % heads !== 0) throw new UsageError(`--width ${width} is not divisible by --heads ${heads}`)
  return {
    model: {
      ...model,
      width,
      layers,
      heads,
      feedForward: values['feed-forward'] ?? 4 * width,
      mode: values['mask-mode'],
    },
    strategy: strategyOf(values),
    seed: values.seed,
    epochs: values.epochs,
    batchSize: values['batch-size'],
    learningRate: values['learning-rate'],
    weightDecay: values['weight-decay'],
    warmupSteps: values['warmup-steps'],
    patience: values.patience ?? null,
    select: values.select,
    workers: values.workers,
    resamples: values.resamples,
  }
}

export const configOf = ({ model }: Recipe, labels: number): ModelConfig => ({ ...model, labels })

/** What `train` is told besides the set; `folder` holds the checkpoints. */
export const trainingOf = (
  recipe: Recipe,
  { labels, folder, startFrom = null }: { labels: number; folder: string; startFrom?: Float32Array | null },
): Omit<TrainOptions, 'set' | 'signal' | 'onProgress'> => {
  const { model: _, resamples: __, ...rest } = recipe
  return { ...rest, config: configOf(recipe, labels), folder, startFrom }
}
