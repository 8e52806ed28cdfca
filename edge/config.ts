/** A station's configuration (schema station/1): parsed once, every default written out, relative paths resolved. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { type Trust, trustSchema } from '#shared/bundle/keys.ts'
import { isLevel, isPlainId } from '#shared/domain/ids.ts'
import { ConfigError } from '#shared/std/config-error.ts'
import { logMel } from '#shared/tokens/log-mel.ts'
import { RESERVED_SITES } from '#shared/wire/topics.ts'

const level = z.string().refine(isLevel, 'must be 1 to 32 of a-z, 0-9, _ and -')
const plainId = z.string().refine(isPlainId, 'must be 1 to 128 letters, digits or . : @ _ -')
const url = z.string().regex(/^(mqtts?|wss?|tcp):\/\/\S+$/, 'must be like mqtt://host:1883')

const frontEnd = z
  .strictObject({
    sampleRateHz: z.number().positive(),
    fftSize: z.int().positive(),
    hopSize: z.int().positive(),
    bands: z.int().positive(),
    lowHz: z.number().nonnegative(),
    highHz: z.number().positive(),
  })
  .superRefine((value, context) => {
    try {
      logMel(new Float64Array(0), value)
    } catch (cause) {
      context.addIssue({ code: 'custom', message: cause instanceof Error ? cause.message : String(cause) })
    }
  })

const sensor = z.strictObject({
  id: level,
  modality: z.string().min(1).max(64),
  deployment: plainId,
  /** Values outside are impossible: [lowest, highest] by variable. */
  ranges: z
    .record(
      z.string(),
      z.tuple([z.number(), z.number()]).refine(([low, high]) => low <= high, 'must be [lowest, highest]'),
    )
    .optional(),
  /** Pictures are decoded to this size. */
  image: z
    .strictObject({
      width: z.int().positive().max(4096),
      height: z.int().positive().max(4096),
      channels: z.union([z.literal(1), z.literal(3)]),
    })
    .optional(),
  /** How sound becomes a log-mel picture; the project's own front end when absent. */
  frontEnd: frontEnd.optional(),
})

const windowOptions = z.strictObject({
  /** Length of an observation's window; windows are aligned to 1970-01-01T00:00Z. */
  ms: z.int().positive().default(3_600_000),
  /** After the window's end; readings that come later still make a revision. */
  allowedLatenessMs: z.int().nonnegative().default(600_000),
  /** What passes: `wall`, the station's clock; `readings`, the newest reading of a deployment (replays). */
  time: z.enum(['wall', 'readings']).default('wall'),
})

const inferenceOptions = z.strictObject({
  threads: z.int().min(1).max(64).default(1),
  provider: z.enum(['cpu', 'cuda', 'webgpu', 'dml', 'coreml']).default('cpu'),
  /** Observations in one run of the model. */
  batch: z.int().min(1).max(256).default(32),
  memoryCeilingBytes: z
    .int()
    .min(64 << 20)
    .optional(),
  answerLimitMs: z.int().min(100).optional(),
})

const stationSchema = z.strictObject({
  schema: z.literal('station/1'),
  node: level,
  site: level.refine((name) => !(RESERVED_SITES as readonly string[]).includes(name), 'is a reserved name'),
  /** First level of all topics. */
  prefix: level.default('understory'),
  cohort: level.default('all'),
  /** Model family that this station runs. */
  family: level,
  /** Holds edge.db, media and models. */
  stateFolder: z.string().min(1),
  /** The station's own broker, where sensors speak. */
  broker: url,
  /** The cloud's broker; null: this station keeps to itself. */
  cloud: url.nullable().default(null),
  /** Who may sign models and say who runs them (schema trust/1): a file, or the document itself. */
  trust: z.union([z.string().min(1), trustSchema]),
  sensors: z
    .array(sensor)
    .refine((sensors) => new Set(sensors.map(({ id }) => id)).size === sensors.length, 'ids must be distinct')
    .default([]),
  acceptUnknownSensors: z.boolean().default(false),
  maxPayloadBytes: z.int().positive().default(1_048_576),
  /** Room for messages that were no readings; the oldest make way. */
  rejectedBudgetBytes: z
    .int()
    .positive()
    .default(16 << 20),
  window: windowOptions.prefault({}),
  inference: inferenceOptions.prefault({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

/** For editors: what a person may write. */
export const stationJsonSchema = (): object => z.toJSONSchema(stationSchema, { io: 'input' })

/** What a person writes. */
export type StationFile = z.input<typeof stationSchema>

export type StationConfig = Readonly<Omit<z.output<typeof stationSchema>, 'trust'>> & { readonly trust: Trust }

/** Throws a ConfigError that names file and field. */
export const readConfig = async (file: string): Promise<StationConfig> => {
  const value = await readJson(file)
  const parsed = stationSchema.safeParse(value)
  if (!parsed.success) throw new ConfigError(`${file}: ${describe(parsed.error)}`, 'correct the named fields')
  const folder = dirname(resolve(file))
  const { trust, stateFolder, ...rest } = parsed.data
  return Object.freeze({
    ...rest,
    stateFolder: resolve(folder, stateFolder),
    trust: typeof trust === 'string' ? await readTrust(resolve(folder, trust)) : trust,
  })
}

const readTrust = async (file: string): Promise<Trust> => {
  const parsed = trustSchema.safeParse(await readJson(file, 'trust: '))
  if (!parsed.success)
    throw new ConfigError(`trust: ${file}: ${describe(parsed.error)}`, 'take the trust file of your cloud')
  return parsed.data
}

/** `field` names whose file it is. */
const readJson = async (file: string, field = ''): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    const what = cause instanceof SyntaxError ? `is no JSON: ${cause.message}` : 'cannot be read'
    throw new ConfigError(`${field}${file} ${what}`, 'name an existing JSON file', { cause })
  }
}

const describe = ({ issues }: z.ZodError): string =>
  issues.map(({ path, message }) => `${path.length > 0 ? path.join('.') : 'the file'}: ${message}`).join('; ')
