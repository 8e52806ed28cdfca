/**
 * `dataset.json` (schema dataset/1): which files and columns of a folder make which modality. Tables are CSV with a
 * header; all have the id column and the same rows in the same order. Files lie in the folder.
 */
import { z } from 'zod'
import { DatasetError } from './dataset-error.ts'

const name = z.string().min(1).max(64)
const column = z.string().min(1)
const file = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.split(/[/\\]/).includes('..'), 'must lie in the folder')
const size = z.int().positive().max(4096)

/** A column's name alone stands for an object of it. */
const namedColumn = (it: unknown): unknown => (typeof it === 'string' ? { column: it } : it)

const variableSchema = z.strictObject({
  column,
  unit: z.string().optional(),
  /**
   * Makes it a category. Numbers: the codes there are. Texts: stand for their place in this list, from 0.
   * "from-train": the codes found in the training part.
   */
  categories: z
    .union([z.literal('from-train'), z.array(z.number()).min(1), z.array(z.string().min(1)).min(1)])
    .optional(),
})

const modalitySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('tabular'),
    name,
    /** The main table when absent; likewise below. */
    file: file.optional(),
    columns: z.array(z.preprocess(namedColumn, variableSchema)).min(1),
  }),
  z.strictObject({
    kind: z.literal('series'),
    name,
    file: file.optional(),
    stepMs: z.number().positive(),
    periods: z.int().positive(),
    /** Columns from the oldest step to the newest. */
    variables: z.array(z.strictObject({ name, unit: z.string().optional(), columns: z.array(column).min(1) })).min(1),
  }),
  z.strictObject({
    kind: z.literal('image'),
    name,
    file: file.optional(),
    width: size,
    height: size,
    patch: size,
    source: z.union([
      /** A window of `<raster>.u8` around the row's place. */
      z.strictObject({ raster: file, longitude: column, latitude: column }),
      /** A PNG or JPEG file for each row, brought to the size above. */
      z.strictObject({ column, channels: z.union([z.literal(1), z.literal(3)]) }),
    ]),
  }),
  z.strictObject({
    kind: z.literal('location'),
    name,
    file: file.optional(),
    latitude: column,
    longitude: column,
    elevationM: column.optional(),
  }),
  z.strictObject({
    kind: z.literal('embedding'),
    name,
    file: file.optional(),
    encoder: z.string().min(1).max(64),
    columns: z.array(column).min(1),
  }),
])

const splitValues = z.array(z.union([z.string(), z.number()]).transform(String))

const descriptionSchema = z.strictObject({
  schema: z.literal('dataset/1'),
  about: z.string().optional(),
  /** The main table. */
  table: file,
  id: column,
  /** Rows with any other value are left out. */
  split: z.strictObject({ column, train: splitValues.min(1), validation: splitValues.min(1), test: splitValues }),
  /** Column of ISO 8601 times with offset: seasons and hours of the day come from it. */
  time: column.optional(),
  labels: z.strictObject({
    file,
    /** "others": all but the id column. Cells are 1, 0 or empty (unknown). */
    columns: z.union([
      z.literal('others'),
      z
        .array(z.preprocess(namedColumn, z.strictObject({ column, taxonId: z.string().nullable().default(null) })))
        .min(1),
    ]),
  }),
  /** Cells that mean "no value". */
  missing: z.array(z.string()).default(['']),
  modalities: z.array(modalitySchema).min(1),
})

export type Description = z.infer<typeof descriptionSchema>
export type ModalityDescription = Description['modalities'][number]

/** `from` names the file in errors. */
export const parseDescription = (json: unknown, from: string): Description => {
  const parsed = descriptionSchema.safeParse(json)
  const refuse = (what: string): never => {
    throw new DatasetError('bad-description', what, { file: from })
  }
  if (!parsed.success) return refuse(z.prettifyError(parsed.error))
  const contradiction = contradictionOf(parsed.data)
  return contradiction === null ? parsed.data : refuse(contradiction)
}

/** What no schema says. */
const contradictionOf = ({ modalities, split }: Description): string | null => {
  const twice = firstRepeated(modalities.map((modality) => modality.name))
  if (twice !== null) return `modality "${twice}" is described twice`
  const inTwoParts = firstRepeated([...split.train, ...split.validation, ...split.test])
  if (inTwoParts !== null) return `split value "${inTwoParts}" stands in two parts`
  for (const modality of modalities) {
    const problem = problemOf(modality)
    if (problem !== null) return `modality "${modality.name}": ${problem}`
  }
  return null
}

const problemOf = (modality: ModalityDescription): string | null => {
  switch (modality.kind) {
    case 'tabular': {
      const twice = firstRepeated(modality.columns.map((it) => it.column))
      return twice === null ? null : `column "${twice}" stands twice`
    }
    case 'series': {
      const twice = firstRepeated(modality.variables.map((it) => it.name))
      if (twice !== null) return `variable "${twice}" stands twice`
      const steps = modality.variables[0]!.columns.length
      const other = modality.variables.find((it) => it.columns.length !== steps)
      if (other) return `"${other.name}" has ${other.columns.length} columns where others have ${steps}`
      return steps % modality.periods === 0 ? null : `${steps} steps don't make ${modality.periods} equal periods`
    }
    case 'image': {
      const { width, height, patch } = modality
      return width % patch === 0 && height % patch === 0 ? null : `patch ${patch} doesn't divide ${width} × ${height}`
    }
    default:
      return null
  }
}

const firstRepeated = (texts: readonly string[]): string | null =>
  texts.find((text, i) => texts.indexOf(text) !== i) ?? null
