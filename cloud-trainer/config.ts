/** The service's configuration, from its command line: every default is written out, and nothing else is read. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { isLevel } from '#shared/domain/ids.ts'
import { realNumber, UsageError, wholeNumber } from './command-line.ts'
import { DEFAULT_TOLERANCE } from './gate.ts'
import { DEFAULT_TRAFFIC_SHARE } from './judged-subsets.ts'
import { RECIPE_OPTIONS, type Recipe, type RecipeValues, recipeOf } from './recipe.ts'

export type ServiceConfig = {
  /** mqtt://host:port or mqtts://host:port */
  readonly broker: string
  /** Holds the store, keys, registry, desired states and runs. */
  readonly stateFolder: string
  readonly prefix: string
  readonly family: string
  readonly cohort: string
  readonly isTraining: boolean
  readonly firstAfterLabels: number
  readonly retrainAfterLabels: number
  /** Cron expression, or null. */
  readonly cron: string | null
  /** IANA zone of the cron expression. */
  readonly zone: string
  readonly maxModels: number | null
  /**
   * Most that a new model's score may lie below the current one's and the reference's (gate.ts): in the mean and, unless it
   * may be chance, on each subset with real traffic.
   */
  readonly tolerance: number
  /** Real traffic: least share of the predictions of the last weeks. */
  readonly trafficShare: number
  readonly trafficWeeks: number
  readonly minimumPositives: number
  readonly recipe: Recipe
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

const level = z.string().refine(isLevel, 'must be 1 to 32 of a-z, 0-9, _ and -')

/** Long enough for a share, short enough to follow the sensors that stations have now (our choice). */
export const DEFAULT_TRAFFIC_WEEKS = 8

export const SERVE_OPTIONS = {
  ...RECIPE_OPTIONS,
  broker: z.string().regex(/^mqtts?:\/\/\S+$/, 'must be like mqtt://host:1883'),
  state: z.string().min(1),
  prefix: level.default('understory'),
  family: level.default('valley'),
  cohort: level.default('all'),
  'first-after-labels': wholeNumber({ least: 1 }).default(200),
  'retrain-after-labels': wholeNumber({ least: 1 }).default(200),
  cron: z.string().optional(),
  zone: z.string().default('UTC'),
  'max-models': wholeNumber({ least: 1 }).optional(),
  tolerance: realNumber({ least: 0, most: 1 }).default(DEFAULT_TOLERANCE),
  'traffic-share': realNumber({ least: 0, most: 1 }).default(DEFAULT_TRAFFIC_SHARE),
  'traffic-weeks': wholeNumber({ least: 1 }).default(DEFAULT_TRAFFIC_WEEKS),
  'minimum-positives': wholeNumber({ least: 1 }).default(5),
  'log-level': z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
} as const

type ServeValues = z.output<z.ZodObject<typeof SERVE_OPTIONS>> & RecipeValues

export const serviceConfigOf = (values: ServeValues, isTraining: boolean): ServiceConfig => {
  if (!isZone(values.zone)) throw new UsageError(`--zone: "${values.zone}" is no IANA time zone`)
  return Object.freeze({
    broker: values.broker,
    stateFolder: resolve(values.state),
    prefix: values.prefix,
    family: values.family,
    cohort: values.cohort,
    isTraining,
    firstAfterLabels: values['first-after-labels'],
    retrainAfterLabels: values['retrain-after-labels'],
    cron: values.cron ?? null,
    zone: values.zone,
    maxModels: values['max-models'] ?? null,
    tolerance: values.tolerance,
    trafficShare: values['traffic-share'],
    trafficWeeks: values['traffic-weeks'],
    minimumPositives: values['minimum-positives'],
    recipe: recipeOf(values),
    logLevel: values['log-level'],
  })
}

const isZone = (zone: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false // what Intl doesn't know, the scheduler doesn't either
  }
}
