/** What all kinds of sources have in common. */
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { ModalityDescription } from '../modality-description.ts'
import type { ModalityTemplate } from '../raw-set.ts'
import type { Table } from '../table.ts'

export type ModalitySource = {
  readonly template: ModalityTemplate
  /** By row of the main table. Null when the row has nothing of this modality. */
  readonly contentOf: (row: number) => ReadingContent | null | Promise<ReadingContent | null>
}

export type Described<K extends ModalityDescription['kind']> = Extract<ModalityDescription, { kind: K }>

export type SourceOptions = {
  readonly folder: string
  /** The modality's own table, with the rows of the main one. */
  readonly table: Table
  /** Other tables by file, likewise, and those with several rows for an id. */
  readonly tables: { readonly of: (file: string) => Table; readonly long: (file: string) => Table }
  /** Rows have times, so that places have seasons. */
  readonly hasTime: boolean
}

/** Columns that a modality needs. `file`: the main table when undefined. */
export type Need = {
  readonly file: string | undefined
  readonly numbers: readonly string[]
  readonly texts: readonly string[]
  /** The file has several rows for an id. */
  readonly isLong?: boolean
}

export const valueOrNull = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value
