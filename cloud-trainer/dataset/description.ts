/**
 * `dataset.json` (schema dataset/1): which files and columns of a folder make which modality, which rows are for what,
 * and what is known about them. docs/datasets.md tells it to people.
 */
import { z } from 'zod'
import { DatasetError } from './dataset-error.ts'
import { explainIssues } from './explain-issues.ts'
import { column, file, firstRepeated, modalitySchema, namedColumn, problemOf } from './modality-description.ts'
import { nameProblem } from './modality-name.ts'

const splitValues = z.array(z.union([z.string(), z.number()]).transform(String))
const share = z.number().positive().max(1)
const shares = z
  .strictObject({ train: share, validation: share, test: z.number().min(0).max(1) })
  .refine((it) => Math.abs(it.train + it.validation + it.test - 1) < 1e-9, 'must add up to 1')
const seed = z.int().default(0)

const splitSchema = z.union([
  /** Rows with any other value are left out. */
  z.strictObject({ column, train: splitValues.min(1), validation: splitValues.min(1), test: splitValues }),
  /** Squares of a grid through (0, 0), in the unit of the columns; each goes to one part as a whole. */
  z.strictObject({ blocks: z.strictObject({ x: column, y: column, size: z.number().positive(), shares, seed }) }),
  /** Row by row, and class by class where labels are classes. Places near one another come into several parts. */
  z.strictObject({ random: z.strictObject({ shares, seed }) }),
])

const labelsSchema = z.union([
  z.strictObject({
    file,
    /** "others": all but the id column. Cells are 1, 0 or empty (unknown). */
    columns: z.union([
      z.literal('others'),
      z
        .array(z.preprocess(namedColumn, z.strictObject({ column, taxonId: z.string().nullable().default(null) })))
        .min(1),
    ]),
  }),
  /** Each row is of one class, or of an unknown one (empty). Rows of classes that have fewer rows are left out. */
  z.strictObject({ file: file.optional(), class: column, atLeast: z.int().positive().default(1) }),
  /** A row of the file says that the id has the label. What isn't said is 0; labels of fewer ids are left out. */
  z.strictObject({ file, long: column, atLeast: z.int().positive().default(1) }),
])

/** A table of rows without labels: what it lacks of the main table's columns is missing in all of its rows. */
const unlabelledSchema = z.strictObject({
  table: file,
  /** That of the main table when absent. Rows of one id must agree, and count once. */
  id: column.optional(),
  /** Columns that have other names here, by their names in the main table. */
  columns: z.record(column, column).default({}),
  /** Left out when the file is not there. */
  optional: z.boolean().default(false),
})

const descriptionSchema = z.strictObject({
  schema: z.literal('dataset/1'),
  about: z.string().optional(),
  /** Where all files lie, as seen from here; beside this file when absent. */
  folder: z.string().min(1).optional(),
  /** The main table: CSV with a header, as all tables. */
  table: file,
  id: column,
  /** The main table has several rows for an id, and they agree in what is read of them. */
  repeats: z.boolean().default(false),
  /**
   * How rows of other tables are found. `order`: all have the same rows in the same order. `id`: in any order; rows
   * that are not there are missing, rows that the main table hasn't are not read.
   */
  join: z.enum(['order', 'id']).default('order'),
  split: splitSchema,
  /** Column of ISO 8601 times with offset: seasons and hours of the day come from it. */
  time: column.optional(),
  /** Absent where nothing is known: such data are for pre-training. */
  labels: labelsSchema.optional(),
  unlabelled: z.array(unlabelledSchema).default([]),
  /** Cells that mean "no value". */
  missing: z.array(z.string()).default(['']),
  modalities: z.array(modalitySchema).min(1),
})

export type Description = z.infer<typeof descriptionSchema>
/** As a file has it: defaults left out, short forms. */
export type WrittenDescription = z.input<typeof descriptionSchema>

/** `from` names the file in errors. */
export const parseDescription = (json: unknown, from: string): Description => {
  const parsed = descriptionSchema.safeParse(json)
  const refuse = (what: string): never => {
    throw new DatasetError('bad-description', what, { file: from })
  }
  if (!parsed.success) return refuse(explainIssues(parsed.error))
  const contradiction = contradictionOf(parsed.data)
  return contradiction === null ? parsed.data : refuse(contradiction)
}

/** What no schema says. */
const contradictionOf = ({ modalities, split, labels, repeats, join }: Description): string | null => {
  for (const { name, group = name } of modalities) {
    const problem = nameProblem(name) ?? nameProblem(group)
    if (problem !== null) return `a modality's name: ${problem}`
  }
  const twice = firstRepeated(modalities.map((modality) => modality.name))
  if (twice !== null) return `modality "${twice}" is described twice`
  const scattered = firstRepeated(runsOf(modalities))
  if (scattered !== null) return `modalities of the group "${scattered}" don't stand together, or it is another's name`
  if ('column' in split) {
    const inTwoParts = firstRepeated([...split.train, ...split.validation, ...split.test])
    if (inTwoParts !== null) return `split value "${inTwoParts}" stands in two parts`
  }
  if (labels !== undefined && 'columns' in labels && labels.columns !== 'others') {
    const label = firstRepeated(labels.columns.map((it) => it.column))
    if (label !== null) return `label "${label}" stands twice`
  }
  if (repeats && join === 'order') return 'a main table that repeats ids needs "join": "id"'
  for (const modality of modalities) {
    const problem = problemOf(modality)
    if (problem !== null) return `modality "${modality.name}": ${problem}`
  }
  return null
}

/** Names of modalities, a group's once for all that stand together. */
const runsOf = (modalities: Description['modalities']): readonly string[] =>
  modalities
    .filter(({ group }, i) => group === undefined || group !== modalities[i - 1]?.group)
    .map(({ group, name }) => group ?? name)
