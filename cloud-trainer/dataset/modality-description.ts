/** The part of `dataset.json` that says which columns and files make which modality. */
import { z } from 'zod'

const name = z.string().min(1).max(64)
export const column = z.string().min(1)
export const file = z
  .string()
  .min(1)
  .refine((path) => isInside(path), 'must lie in the folder')
const size = z.int().positive().max(4096)

/** Relative, and never upwards. */
export const isInside = (path: string): boolean => !path.startsWith('/') && !path.split(/[/\\]/).includes('..')

/** A column's name alone stands for an object of it. */
export const namedColumn = (it: unknown): unknown => (typeof it === 'string' ? { column: it } : it)

const tabularColumn = z.strictObject({
  column,
  unit: z.string().optional(),
  /** The least and the largest number there can be; any other means "no value" (-9999, 255). */
  valid: z.tuple([z.number(), z.number()]).optional(),
  /**
   * Makes it a category. Numbers: the codes there are. Texts: stand for their place in this list, from 0.
   * "from-train": the codes found in the training part.
   */
  categories: z
    .union([z.literal('from-train'), z.array(z.number()).min(1), z.array(z.string().min(1)).min(1)])
    .optional(),
})

/**
 * Columns whose names count up: `Bio-pr_{month}_{year}` over years, then months. The first counter is the slowest;
 * `digits` fills up with zeros.
 */
const columnPattern = z
  .strictObject({
    pattern: column,
    over: z
      .array(
        z.strictObject({
          name: z.string().regex(/^\w+$/),
          first: z.int(),
          last: z.int(),
          digits: z.int().min(1).max(8).default(1),
        }),
      )
      .min(1)
      .max(4),
  })
  .transform(({ pattern, over }, context) => {
    const columns = over.reduce(
      (names, { name: counter, first, last, digits }) =>
        names.flatMap((it) =>
          Array.from({ length: Math.min(10_000, Math.max(0, last - first + 1)) }, (_, i) =>
            it.replaceAll(`{${counter}}`, String(first + i).padStart(digits, '0')),
          ),
        ),
      [pattern],
    )
    if (columns.length > 0 && columns.length <= 10_000 && new Set(columns).size === columns.length) return columns
    context.addIssue({ code: 'custom', message: `makes ${columns.length} columns; 1 to 10000 different ones are read` })
    return z.NEVER
  })

/**
 * Where rows have an array. `file`: a stack of them, along the first axis; its rows are those of the table, or of the
 * ids that the array `ids` of the same file has. `path`: a file for each row, with columns in braces, whole ("{id}") or
 * cut as in Python ("{id[-4:-2]}").
 */
const array = z.union([
  z.strictObject({ file, array: z.string().default(''), ids: z.string().optional() }),
  z.strictObject({
    path: file,
    array: z.string().default(''),
    /** What a file that isn't there means. */
    absent: z.enum(['error', 'missing']).default('error'),
  }),
])

const permutationOf = (...axes: readonly string[]) =>
  z.array(z.enum(axes)).refine((it) => it.length === axes.length && new Set(it).size === axes.length, {
    message: `must be ${axes.join(', ')} in some order`,
  })

/** `group`: makes one modality of all that stand together with this name (shared/domain/modality.ts). */
const named = { name, group: name.optional() }

const seriesBase = { kind: z.literal('series'), ...named, stepMs: z.number().positive(), periods: z.int().positive() }
const pictureBase = {
  kind: z.literal('image'),
  ...named,
  width: size,
  height: size,
  patch: size,
  /** Names of all channels: each has tokens of its own, and can be hidden on its own. */
  bands: z.array(name).min(1).optional(),
}

export const modalitySchema = z.union([
  z.strictObject({
    kind: z.literal('tabular'),
    ...named,
    /** The main table when absent; likewise below. */
    file: file.optional(),
    columns: z.array(z.preprocess(namedColumn, tabularColumn)).min(1),
  }),
  z.strictObject({
    ...seriesBase,
    file: file.optional(),
    /** Columns from the oldest step to the newest. */
    variables: z
      .array(
        z.strictObject({
          name,
          unit: z.string().optional(),
          /** The modality's when absent. */
          file: file.optional(),
          columns: z.union([z.array(column).min(1), columnPattern]),
        }),
      )
      .min(1),
  }),
  z.strictObject({
    ...seriesBase,
    /** A table with a row for each id and step; steps that have no row are missing. */
    long: z.strictObject({
      file,
      /** Columns that number the steps, the slowest first. */
      steps: z.array(z.strictObject({ column, first: z.int(), count: z.int().positive().max(100_000) })).min(1),
    }),
    variables: z.array(z.strictObject({ name, unit: z.string().optional(), column })).min(1),
  }),
  z.strictObject({
    ...seriesBase,
    cube: array,
    /** A row's array has these, in the order of the file. */
    axes: permutationOf('variable', 'period', 'step'),
    stepsPerPeriod: z.int().positive().max(100_000),
    variables: z.array(z.strictObject({ name, unit: z.string().optional() })).min(1),
  }),
  z.strictObject({
    ...pictureBase,
    file: file.optional(),
    /** What is done with pictures of another size; `crop` takes the middle. */
    fit: z.enum(['stretch', 'crop']).default('stretch'),
    source: z.union([
      /** A window of `<raster>.u8` around the row's place. */
      z.strictObject({ raster: file, longitude: column, latitude: column }),
      /** A picture file (PNG, JPEG, TIFF) for each row, named by the column. */
      z.strictObject({ column, channels: z.union([z.literal(1), z.literal(3)]) }),
      /** Picture files for each row, named as above; their channels follow one another. */
      z.strictObject({
        pictures: z.array(z.strictObject({ path: file, channels: z.union([z.literal(1), z.literal(3)]) })).min(1),
        absent: z.enum(['error', 'missing']).default('error'),
      }),
      /** Numbers of 0 to 255, or of a range that is brought to it. */
      z.strictObject({
        cube: array,
        axes: permutationOf('y', 'x', 'channel'),
        channels: z.int().positive().max(64),
        range: z.tuple([z.number(), z.number()]).optional(),
      }),
    ]),
  }),
  z.strictObject({
    kind: z.literal('location'),
    ...named,
    file: file.optional(),
    latitude: column,
    longitude: column,
    elevationM: column.optional(),
  }),
  z.strictObject({
    kind: z.literal('embedding'),
    ...named,
    file: file.optional(),
    encoder: z.string().min(1).max(64),
    columns: z.union([z.array(column).min(1), columnPattern]),
  }),
  z.strictObject({
    kind: z.literal('embedding'),
    ...named,
    encoder: z.string().min(1).max(64),
    vectors: array,
    size: z.int().positive().max(100_000),
  }),
])

export type ModalityDescription = z.infer<typeof modalitySchema>
export type ArrayPlace = z.infer<typeof array>

/** What no schema says; null when all is well. */
export const problemOf = (modality: ModalityDescription): string | null => {
  switch (modality.kind) {
    case 'tabular': {
      const twice = firstRepeated(modality.columns.map((it) => it.column))
      if (twice !== null) return `column "${twice}" stands twice`
      const odd = modality.columns.find(({ valid }) => valid !== undefined && valid[0] > valid[1])
      return odd === undefined ? null : `nothing is valid in column "${odd.column}"`
    }
    case 'series':
      return seriesProblem(modality)
    case 'image': {
      const { width, height, patch, source } = modality
      if (width % patch !== 0 || height % patch !== 0) return `patch ${patch} doesn't divide ${width} × ${height}`
      if ('range' in source && source.range !== undefined && source.range[0] >= source.range[1]) return 'an empty range'
      return bandsProblem(modality, channelsOf(source))
    }
    default:
      return null
  }
}

type ImageDescription = Extract<ModalityDescription, { kind: 'image' }>

/** Null when only the file says. */
const channelsOf = (source: ImageDescription['source']): number | null => {
  if ('pictures' in source) return source.pictures.reduce((sum, it) => sum + it.channels, 0)
  return 'channels' in source ? source.channels : null
}

export const bandsProblem = ({ bands }: Pick<ImageDescription, 'bands'>, channels: number | null): string | null => {
  if (bands === undefined) return null
  const twice = firstRepeated(bands)
  if (twice !== null) return `band "${twice}" stands twice`
  return channels === null || bands.length === channels ? null : `${bands.length} bands for ${channels} channels`
}

const seriesProblem = (series: Extract<ModalityDescription, { kind: 'series' }>): string | null => {
  const { periods, variables } = series
  const twice = firstRepeated(variables.map((it) => it.name))
  if (twice !== null) return `variable "${twice}" stands twice`
  if ('cube' in series) return null
  const counts =
    'long' in series
      ? [series.long.steps.reduce((product, it) => product * it.count, 1)]
      : series.variables.map((it) => it.columns.length)
  const steps = counts[0]!
  const other = counts.findIndex((count) => count !== steps)
  if (other !== -1) return `"${variables[other]!.name}" has ${counts[other]} columns where others have ${steps}`
  return steps % periods === 0 ? null : `${steps} steps don't make ${periods} equal periods`
}

export const firstRepeated = (texts: readonly string[]): string | null =>
  texts.find((text, i) => texts.indexOf(text) !== i) ?? null
