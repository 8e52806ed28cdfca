/** How a model is to be trained, as data: what the command line says, and what the record of a run keeps. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { PRECISIONS } from '#shared/bundle/precision.ts'
import type { Task } from '#shared/domain/task.ts'
import { realNumber, UsageError, wholeNumber } from './command-line.ts'
import { defaultModelConfig, type ModelConfig } from './model/config.ts'
import { DEFAULT_TRAINING, type TrainOptions } from './training/train.ts'

/** `auto`: the smallest form whose scores hold. */
const WANTED_PRECISIONS = [...PRECISIONS, 'auto'] as const

const kappa = z.number().positive().exactOptional()
const cornerMass = z
  .number()
  .min(0)
  .max(1 / 2)
  .exactOptional()
const rate = z.number().min(0).max(1).exactOptional()
const exponent = z.number().nonnegative().exactOptional()
const smoothing = z.number().min(0).lt(1).exactOptional()
const draws = z.enum(['batch', 'observation']).exactOptional()

const strategySchema = z.discriminatedUnion('name', [
  z.object({
    name: z.literal('miam'),
    kappa,
    lambdaScore: exponent,
    lambdaSpeed: exponent,
    cornerMass,
    smoothing,
    draws,
  }),
  z.object({ name: z.literal('beta-hypercube'), kappa, cornerMass, draws }),
  z.object({ name: z.literal('uniform-hypercube'), draws }),
  z.object({ name: z.literal('uniform'), draws }),
  z.object({ name: z.literal('constant'), rate }),
  z.object({ name: z.literal('dirichlet'), alpha: z.number().positive().exactOptional(), draws }),
  z.object({ name: z.literal('dropout'), rate, draws }),
  z.object({ name: z.literal('opm'), rate, lambda: exponent, draws }),
  z.object({ name: z.literal('none') }),
  z.object({ name: z.literal('auto'), draws }),
])

const size = z.int().positive()

/** Epochs after which the whole input is answered well enough to learn from (SWI, `docs/results/beyond`). */
const DISTILL_AFTER = 5

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
    dropout: z.number().min(0).lt(1).exactOptional(),
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
  scoreSample: size.exactOptional(),
  distillation: z.object({ share: z.number().gt(0).max(1), after: size }).exactOptional(),
  /** Of the exported model; float32 when absent. */
  precision: z.enum(WANTED_PRECISIONS).exactOptional(),
})

export type Recipe = z.infer<typeof recipeSchema>

/** What belongs to one strategy or another. */
export const STRATEGY_OPTIONS = [
  'kappa',
  'lambda-score',
  'lambda-speed',
  'corner-mass',
  'smoothing',
  'rate',
  'alpha',
  'lambda-opm',
  'draws',
] as const

type StrategyName = Recipe['strategy']['name']
type StrategyOption = (typeof STRATEGY_OPTIONS)[number]

/** Parameters of each strategy: the option of the command line, and the name in its record. */
const STRATEGY_PARAMETERS = {
  miam: {
    kappa: 'kappa',
    'lambda-score': 'lambdaScore',
    'lambda-speed': 'lambdaSpeed',
    'corner-mass': 'cornerMass',
    smoothing: 'smoothing',
    draws: 'draws',
  },
  'beta-hypercube': { kappa: 'kappa', 'corner-mass': 'cornerMass', draws: 'draws' },
  'uniform-hypercube': { draws: 'draws' },
  uniform: { draws: 'draws' },
  constant: { rate: 'rate' },
  dirichlet: { alpha: 'alpha', draws: 'draws' },
  dropout: { rate: 'rate', draws: 'draws' },
  opm: { rate: 'rate', 'lambda-opm': 'lambda', draws: 'draws' },
  none: {},
  auto: { draws: 'draws' },
} as const satisfies { readonly [Name in StrategyName]: Readonly<Partial<Record<StrategyOption, string>>> }

const STRATEGY_NAMES = Object.keys(STRATEGY_PARAMETERS) as readonly StrategyName[]

export const PRECISION_OPTION = { precision: z.enum(WANTED_PRECISIONS).default('float32') }

/** What masks, model and optimizer have, whatever is learned. */
export const COURSE_OPTIONS = {
  strategy: z.enum(STRATEGY_NAMES).default('miam'),
  kappa: realNumber({ above: 0 }).optional(),
  'lambda-score': realNumber({ least: 0 }).optional(),
  'lambda-speed': realNumber({ least: 0 }).optional(),
  'corner-mass': realNumber({ least: 0, most: 1 / 2 }).optional(),
  smoothing: realNumber({ least: 0, most: 0.99 }).optional(),
  rate: realNumber({ least: 0, most: 1 }).optional(),
  alpha: realNumber({ above: 0 }).optional(),
  'lambda-opm': realNumber({ least: 0 }).optional(),
  draws: z.enum(['batch', 'observation']).optional(),
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
  dropout: realNumber({ least: 0, most: 0.9 }).default(0),
  'feed-forward': wholeNumber({ least: 1, most: 16384 }).optional(),
  workers: wholeNumber({ least: 1, most: 256 }).default(() => availableParallelism()),
} as const

export const RECIPE_OPTIONS = {
  ...COURSE_OPTIONS,
  'score-sample': wholeNumber({ least: 1 }).optional(),
  distill: realNumber({ least: 0, most: 1 }).default(0),
  'distill-after': wholeNumber({ least: 1 }).optional(),
  resamples: wholeNumber({ least: 0, most: 10_000 }).default(200),
  ...PRECISION_OPTION,
} as const

export type RecipeValues = z.output<z.ZodObject<typeof RECIPE_OPTIONS>>

export const PRECISION_HELP = `\
  --precision KIND     of the exported model: float32 (default); fp16: weights stored in half the
                       bytes; int8: in a third, and faster from width 128 on; auto: the smallest
                       that holds. One that loses more than 0.2 score points on any subset is not
                       taken: the export says where, and the model stays float32`

/** What masks, model and optimizer have, whatever is learned; `select` says which epoch is kept. */
export const courseHelp = (select: string): string => `
  --strategy NAME      how inputs are hidden in training: miam (default), beta-hypercube, uniform-hypercube, uniform,
                       constant, dirichlet, dropout, opm, none, or auto: one of them by a rule of thumb,
                       told and recorded with its reason
  --kappa N            of miam and beta-hypercube: how sharp the corners are (default 10)
  --corner-mass P      of the same: weight of "all visible" and of "all hidden", each (default 0.25, at most 0.5)
  --lambda-score N     of miam: weight of the score imbalance (default 1)
  --lambda-speed N     of miam: weight of the speed imbalance (default 1)
  --smoothing A        of miam: share of the past in the scores it looks at (default 0, at most 0.99)
  --rate P             of constant: probability that a token is hidden (default 0.75); of dropout: that a modality is
                       (default 0.1); of opm: the same before scores, and what they scale after (default 0.5)
  --alpha A            of dirichlet (default 1)
  --lambda-opm N       of opm: how far the rate rises for a strong modality, to rate · (1 + N) (default 0.5)
  --draws WHOSE        of all that draw: one set of probabilities for each batch (default) or for each observation
  --mask-mode MODE     drop (default): hidden tokens leave the sequence; replace: a learned vector stands in
  --seed N             of everything random (default 1)
  --epochs N           (default ${DEFAULT_TRAINING.epochs})
  --batch-size N       (default ${DEFAULT_TRAINING.batchSize})
  --learning-rate X    (default ${DEFAULT_TRAINING.learningRate})
  --weight-decay X     (default ${DEFAULT_TRAINING.weightDecay})
  --warmup-steps N     (default ${DEFAULT_TRAINING.warmupSteps})
  --patience N         stop after so many epochs without a better score (default: never)
  --select WHICH       epoch that is kept: ${select}
  --width N            numbers per token (default 64); divisible by the heads
  --layers N           (default 3)
  --heads N            (default 8)
  --feed-forward N     (default four times the width)
  --dropout P          share of attention and of each residual branch that a training step drops (default 0)
  --workers N          threads (default: all cores); equal bits need an equal number`

export const RECIPE_HELP = `${courseHelp('last (default) or best (mean of single modalities and all, validation part)')}
  --score-sample N     observations of the validation part, at most, that each epoch is scored on (default: all)
  --distill A          share of the model's own answer to the whole input in what it learns from masked ones (default 0)
  --distill-after N    epochs before the first such answers (default 5)
  --resamples N        of the bootstrap behind the intervals (default 200)
${PRECISION_HELP}`

/** Throws a UsageError for a parameter that the chosen strategy does not have: it would do nothing. */
const strategyOf = (values: RecipeValues): Recipe['strategy'] => {
  const own: Readonly<Partial<Record<StrategyOption, string>>> = STRATEGY_PARAMETERS[values.strategy]
  const given = STRATEGY_OPTIONS.filter((option) => values[option] !== undefined)
  const foreign = given.find((option) => !Object.hasOwn(own, option))
  if (foreign !== undefined) {
    const owners = STRATEGY_NAMES.filter((name) => Object.hasOwn(STRATEGY_PARAMETERS[name], foreign))
    throw new UsageError(`--${foreign} is no parameter of "${values.strategy}", but of ${owners.join(', ')}`)
  }
  const parameters = Object.fromEntries(given.map((option) => [own[option]!, values[option]]))
  return strategySchema.parse({ name: values.strategy, ...parameters })
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
      // Left out when there is none, as `ModelConfig` wants it.
      ...(values.dropout === 0 ? {} : { dropout: values.dropout }),
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
    // Left out when it is the default, as in the records of older runs.
    ...(values.precision === 'float32' ? {} : { precision: values.precision }),
    ...distillationOf(values),
    ...(values['score-sample'] === undefined ? {} : { scoreSample: values['score-sample'] }),
  }
}

/** Left out when there is none: recipes are compared, and older ones have none. */
const distillationOf = ({ distill, 'distill-after': after }: RecipeValues): Pick<Recipe, 'distillation'> => {
  if (distill > 0) return { distillation: { share: distill, after: after ?? DISTILL_AFTER } }
  if (after !== undefined) throw new UsageError('--distill-after does nothing without --distill')
  return {}
}

/** Multi-label is left out, as `ModelConfig` wants it. */
export const configOf = ({ model }: Recipe, labels: number, task?: Task): ModelConfig => ({
  ...model,
  labels,
  ...(task === 'single-label' ? { task } : {}),
})

type TrainingPlace = {
  /** Of the set, and its task. */
  readonly labels: number
  readonly task?: Task | undefined
  /** Of the checkpoints. */
  readonly folder: string
  readonly startFrom?: Float32Array | null
}

/** What `train` is told besides the set. */
export const trainingOf = (
  recipe: Recipe,
  { labels, task, folder, startFrom = null }: TrainingPlace,
): Omit<TrainOptions, 'set' | 'signal' | 'onProgress'> => {
  const { model: _, resamples: __, precision: ___, ...rest } = recipe
  return { ...rest, config: configOf(recipe, labels, task), folder, startFrom }
}
