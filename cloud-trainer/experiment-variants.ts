/** The recipes of an experiment: what all its runs share, and what each variant has of its own. */
import { z } from 'zod'
import { UsageError } from './command-line.ts'
import { parseVariant, variantKey } from './experiment/plan.ts'
import { type ExperimentSettings, STRATEGY_SCHEMAS } from './experiment-settings.ts'
import { refusalOf } from './masking/strategy.ts'
import { PRECISION_HELP, RECIPE_HELP, RECIPE_OPTIONS, type RecipeValues, recipeOf, STRATEGY_OPTIONS } from './recipe.ts'

export type Variant = ExperimentSettings['variants'][number]

/** Each run has its own strategy and seed, and one thread; nothing is exported. */
const { strategy: _strategy, seed: _seed, workers: _workers, precision: _precision, ...OTHER_OPTIONS } = RECIPE_OPTIONS
export const SHARED_OPTIONS = Object.fromEntries(
  Object.entries(OTHER_OPTIONS).filter(([name]) => !STRATEGY_OPTIONS.some((option) => option === name)),
) as Omit<typeof OTHER_OPTIONS, (typeof STRATEGY_OPTIONS)[number]>

export const SHARED_HELP = RECIPE_HELP.slice(RECIPE_HELP.indexOf('  --mask-mode'))
  .replace(`\n${PRECISION_HELP}`, '')
  .split('\n')
  .filter((line) => !/^ {2}--(seed|workers) /.test(line))
  .join('\n')

type SharedValues = Omit<
  RecipeValues,
  'strategy' | 'seed' | 'workers' | 'precision' | (typeof STRATEGY_OPTIONS)[number]
>

/** Throws a UsageError when the values contradict one another. */
export const sharedRecipeOf = (values: SharedValues): ExperimentSettings['recipe'] => {
  const {
    strategy: _,
    seed: __,
    workers: ___,
    ...shared
  } = recipeOf({
    ...values,
    strategy: 'none',
    seed: 1,
    workers: 1,
    precision: 'float32',
  })
  return shared
}

/** What a variant may set for itself, by the name it has there ("maskMode" for `--mask-mode`). Resamples must pair. */
const { resamples: _resamples, ...OWN_OPTIONS } = SHARED_OPTIONS
const OWN_NAMES = new Map(
  Object.keys(OWN_OPTIONS).map((option) => [
    option.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    option,
  ]),
)

/** Every strategy that a recipe knows, and the oracle. */
export const VARIANT_NAMES = STRATEGY_SCHEMAS.map(({ shape }) => shape.name.value)
/** What "all" means: `auto` is one of the others. */
const ALL_NAMES = VARIANT_NAMES.filter((name) => name !== 'auto')

/**
 * `text`: "all", or names joined by commas, each with parameters of its strategy and options of training that differ
 * from the shared `values`: "miam:kappa=5,miam:maskMode=replace:epochs=80". Throws a UsageError.
 */
export const variantsOf = (text: string, values: SharedValues): readonly Variant[] => {
  const variants = (text === 'all' ? ALL_NAMES : text.split(',')).map((one) => variantOf(one, values))
  const twice = variants.find(({ key }, i) => variants.findIndex((other) => other.key === key) !== i)
  if (twice !== undefined) throw new UsageError(`--strategies: "${twice.key}" stands there twice`)
  return variants
}

const variantOf = (text: string, values: SharedValues): Variant => {
  const written = parseVariant(text)
  const schema = STRATEGY_SCHEMAS.find(({ shape }) => shape.name.value === written?.name)
  if (written === null || schema === undefined) {
    throw new UsageError(`--strategies: "${text}" is none of ${VARIANT_NAMES.join(', ')}`)
  }
  const parameters = Object.entries(written.parameters)
  const ofStrategy = Object.fromEntries(parameters.filter(([name]) => !OWN_NAMES.has(name)))
  const ofTraining = Object.fromEntries(parameters.filter(([name]) => OWN_NAMES.has(name)))
  const strategy = schema.strict().safeParse({ name: written.name, ...ofStrategy })
  if (!strategy.success) throw new UsageError(`--strategies: "${text}": ${strategy.error.issues[0]!.message}`)
  const key = variantKey({ ...strategy.data, ...ofTraining })
  if (Object.keys(ofTraining).length === 0) return { key, strategy: strategy.data }
  return { key, strategy: strategy.data, recipe: ownRecipe(text, ofTraining, values), options: ofTraining }
}

const ownRecipe = (
  text: string,
  options: Readonly<Record<string, string | number>>,
  values: SharedValues,
): ExperimentSettings['recipe'] => {
  const texts = Object.fromEntries(Object.entries(options).map(([name, value]) => [OWN_NAMES.get(name)!, `${value}`]))
  const own = z.object(OWN_OPTIONS).partial().safeParse(texts)
  if (!own.success) {
    const [issue] = own.error.issues
    throw new UsageError(`--strategies: "${text}": ${String(issue!.path[0])}: ${issue!.message}`)
  }
  // Options that are not given have their default there.
  const given = Object.fromEntries(Object.entries(own.data).filter(([option]) => Object.hasOwn(texts, option)))
  return sharedRecipeOf({ ...values, ...given })
}

/** Throws a UsageError for a strategy that can't be had with so many modalities. */
export const requirePossible = (variants: readonly Variant[], modalities: number): void => {
  for (const { key, strategy } of variants) {
    const refusal = strategy.name === 'oracle' ? null : refusalOf(strategy, modalities)
    if (refusal !== null) throw new UsageError(`--strategies: "${key}": ${refusal}`)
  }
}
