/** What an insight found, in the form that tables, pages and files are made of. */

/** A number with no text of its own is shown with its column's decimals; null is shown as nothing. */
export type Cell = string | number | null

export type Column = {
  /** With its unit. */
  readonly name: string
  /** In CSV. */
  readonly key: string
  readonly decimals: number
  /** Numbers are differences: shown with their sign. */
  readonly isSigned?: boolean
}

export type Table = {
  readonly name: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
}

export type Finding = {
  readonly title: string
  /** Sentences: what was asked, of what, and what came out. */
  readonly about: readonly string[]
  /** At least one. */
  readonly tables: readonly Table[]
  readonly figures: readonly { readonly caption: string; readonly svg: string }[]
  /** Sentences: how the numbers were made, with their sources and limits. */
  readonly method: readonly string[]
}
