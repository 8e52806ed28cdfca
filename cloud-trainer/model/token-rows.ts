/**
 * The token sets and labels of many observations, by row number: in memory, or on disk and read whenever they are asked
 * for. Whoever walks over them holds as many as it needs at once.
 */
import type { TokenSet } from '#shared/tokens/layout.ts'
import type { StoredRows } from './stored-rows.ts'
import { restrict, type Subset } from './subset.ts'

/** An array of token sets is one. */
export type TokenRows = {
  readonly length: number
  /**
   * Undefined beyond the ends. A row on disk reads its `features` anew at each access: take them once, and keep them if
   * need be.
   */
  readonly at: (row: number) => TokenSet | undefined
  readonly [Symbol.iterator]: () => IterableIterator<TokenSet>
  /** Where other threads find rows that are on disk; absent when they are in memory. */
  readonly stored?: StoredRows
}

/** [rows × labels], row-major. A Float32Array is one; labels on disk are read anew at each call. */
export type LabelValues = {
  readonly length: number
  readonly subarray: (from: number, to: number) => Float32Array
  readonly stored?: StoredRows
}

/** All of them, in memory. */
export const allLabels = (labels: LabelValues): Float32Array => labels.subarray(0, labels.length)

/** The row with its features, read once. */
export const inMemory = ({ features, hidden }: TokenSet): TokenSet => ({ features, hidden })

/** Rows that are made when they are asked for. */
export const lazyRows = (length: number, row: (row: number) => TokenSet): TokenRows => ({
  length,
  at: (i) => (i >= 0 && i < length ? row(i) : undefined),
  *[Symbol.iterator]() {
    for (let i = 0; i < length; i++) yield row(i)
  },
})

/** Rows by number: in another order, or fewer. */
export const pickRows = (rows: TokenRows, picked: readonly number[]): TokenRows => ({
  ...lazyRows(picked.length, (i) => rows.at(picked[i]!)!),
  ...(rows.stored === undefined ? {} : { stored: pickIn(rows.stored, picked) }),
})

const pickIn = (stored: StoredRows, picked: readonly number[]): StoredRows => ({
  ...stored,
  picked: Int32Array.from(picked, (row) => (stored.picked === null ? row : stored.picked[row]!)),
})

/** All rows through a subset. */
export const restrictRows = (rows: TokenRows, subset: Pick<Subset, 'hidden'>): TokenRows => ({
  ...lazyRows(rows.length, (i) => restrict(rows.at(i)!, subset)),
  ...(rows.stored === undefined ? {} : { stored: hideIn(rows.stored, subset.hidden) }),
})

const hideIn = (stored: StoredRows, hidden: Uint8Array): StoredRows => ({
  ...stored,
  hidden: stored.hidden === null ? hidden : stored.hidden.map((value, slot) => value | hidden[slot]!),
})
