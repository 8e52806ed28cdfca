/** Embeddings: a vector from columns, or from array files. */
import { DatasetError } from '../dataset-error.ts'
import { openArrayRows, textsOfArray } from './array-rows.ts'
import type { Described, ModalitySource, Need, SourceOptions } from './source.ts'

type Embedding = Described<'embedding'>
type FromArrays = Extract<Embedding, { vectors: unknown }>
type FromColumns = Exclude<Embedding, FromArrays>

export const embeddingNeeds = (embedding: Embedding): readonly Need[] =>
  'vectors' in embedding
    ? [{ file: undefined, numbers: [], texts: textsOfArray(embedding.vectors) }]
    : [{ file: embedding.file, numbers: embedding.columns, texts: [] }]

export const embeddingSource = async (embedding: Embedding, options: SourceOptions): Promise<ModalitySource> =>
  'vectors' in embedding ? fromArrays(embedding, options) : fromColumns(embedding, options)

const fromColumns = ({ name, encoder, columns }: FromColumns, { table }: SourceOptions): ModalitySource => {
  const dimensions = columns.map((column) => table.numbers.get(column)!)
  return {
    template: { kind: 'embedding', name, encoder, size: columns.length },
    contentOf: (row) => {
      const vector = dimensions.map((values) => values.at(row)!)
      const at = firstMissing(vector)
      if (at === null) return { kind: 'embedding', encoder, vector }
      return at === 'all' ? null : halfThere({ file: table.file, row: table.lines[row]!, column: columns[at]! })
    },
  }
}

const fromArrays = async (
  { name, encoder, size, vectors }: FromArrays,
  { folder, table }: SourceOptions,
): Promise<ModalitySource> => {
  const rows = await openArrayRows(vectors, { folder, table, shape: [size] })
  const file = 'path' in vectors ? vectors.path : vectors.file
  return {
    template: { kind: 'embedding', name, encoder, size },
    contentOf: async (row) => {
      const values = await rows(row)
      if (values === null) return null
      const vector = Array.from(values)
      const at = firstMissing(vector)
      if (at === null) return { kind: 'embedding', encoder, vector }
      return at === 'all' ? null : halfThere({ file, column: `${table.ids[row]}[${at}]` })
    },
  }
}

/** The first number that is none; "all" when none is one; null when all are. */
const firstMissing = (vector: readonly number[]): number | 'all' | null => {
  const at = vector.findIndex((value) => !Number.isFinite(value))
  if (at === -1) return null
  return vector.some(Number.isFinite) ? at : 'all'
}

const halfThere = (place: { readonly file: string; readonly row?: number; readonly column: string }): never => {
  throw new DatasetError('missing-value', 'an embedding is there as a whole or not at all', place)
}
