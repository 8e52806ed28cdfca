/** The tables of a described folder, each read once for whatever its columns are used, their rows brought together. */
import { DatasetError } from './dataset-error.ts'
import type { Description } from './description.ts'
import { needsOf } from './modality-source.ts'
import { type IdRule, readTable, type Table } from './table.ts'

export type Tables = {
  readonly main: Table
  /** A table with the rows of the main one, in its order. */
  readonly of: (file: string) => Table
  /** A table with as many rows for an id as it likes. */
  readonly long: (file: string) => Table
}

type Wish = { readonly texts: Set<string>; readonly numbers: Set<string>; labels?: readonly string[] | 'others' }

/** Throws DatasetError. */
export const readTables = async (folder: string, description: Description, scratch: string | null): Promise<Tables> => {
  const { table: mainFile, id, missing, repeats } = description
  const { aligned, long } = wishesOf(description)
  const read = (file: string, { texts, numbers, labels }: Wish, ids: IdRule): Promise<Table> => {
    const wanted = { id, ids, texts: [...texts], numbers: [...numbers] }
    return readTable({ folder, file, missing, scratch }, labels === undefined ? wanted : { ...wanted, labels })
  }

  const main = await read(mainFile, aligned.get(mainFile)!, repeats ? 'agreeing' : 'unique')
  const tables = new Map([[mainFile, main]])
  for (const [file, wish] of aligned) {
    if (file === mainFile) continue
    const table = await read(file, wish, 'unique')
    if (description.join === 'id') tables.set(file, alignedTo(main, table))
    else {
      requireSameRows(main, table, id)
      tables.set(file, table)
    }
  }
  const longTables = new Map<string, Table>()
  for (const [file, wish] of long) longTables.set(file, await read(file, wish, 'repeated'))
  return { main, of: (file) => tables.get(file)!, long: (file) => longTables.get(file)! }
}

type Wishes = { readonly aligned: ReadonlyMap<string, Wish>; readonly long: ReadonlyMap<string, Wish> }

const wishesOf = ({ table, split, time, labels, modalities }: Description): Wishes => {
  const wishes = { aligned: new Map<string, Wish>(), long: new Map<string, Wish>() }
  const want = (file: string, kind: keyof typeof wishes = 'aligned'): Wish => {
    const known = wishes[kind].get(file) ?? { texts: new Set(), numbers: new Set() }
    wishes[kind].set(file, known)
    return known
  }
  const main = want(table)
  if ('column' in split) main.texts.add(split.column)
  if ('blocks' in split) main.numbers.add(split.blocks.x).add(split.blocks.y)
  if (time !== undefined) main.texts.add(time)
  if (labels === undefined) {
    // Nothing is known of the rows.
  } else if ('columns' in labels) {
    const columns = labels.columns === 'others' ? labels.columns : labels.columns.map((it) => it.column)
    want(labels.file).labels = columns
  } else if ('class' in labels) want(labels.file ?? table).texts.add(labels.class)
  else want(labels.file, 'long').texts.add(labels.long)
  for (const need of modalities.flatMap(needsOf)) {
    const wish = want(need.file ?? table, need.isLong ? 'long' : 'aligned')
    for (const column of need.texts) wish.texts.add(column)
    for (const column of need.numbers) wish.numbers.add(column)
  }
  return wishes
}

const requireSameRows = (main: Table, other: Table, column: string): void => {
  const { file, ids, lines } = other
  for (let row = 0; row < Math.min(ids.length, main.ids.length); row++) {
    if (ids[row] === main.ids[row]) continue
    const what = `"${ids[row]}" where row ${main.lines[row]} of ${main.file} has "${main.ids[row]}"`
    throw new DatasetError('row-order', what, { file, row: lines[row]!, column })
  }
  if (ids.length !== main.ids.length) {
    throw new DatasetError('row-count', `${ids.length} rows, but ${main.ids.length} in ${main.file}`, { file })
  }
}

/** Row by row of the main table; a row that is not there has no values, and line 0. */
const alignedTo = (main: Table, table: Table): Table => {
  const rowOf = new Map(table.ids.map((id, row) => [id, row]))
  const rows = Int32Array.from(main.ids, (id) => rowOf.get(id) ?? -1)
  if (!rows.some((row) => row >= 0)) {
    throw new DatasetError('row-count', `none of its ids is in ${main.file}`, { file: table.file })
  }
  const cells = Array.from(rows)
  return {
    ...table,
    ids: main.ids,
    lines: cells.map((row) => table.lines[row] ?? 0),
    texts: new Map([...table.texts].map(([column, texts]) => [column, cells.map((row) => texts[row] ?? '')])),
    numbers: new Map(
      [...table.numbers].map(([column, values]) => [
        column,
        { at: (row: number) => (rows[row]! >= 0 ? values.at(rows[row]!) : Number.NaN) },
      ]),
    ),
    labelsOf: (row) => table.labelsOf(rows[row]!),
  }
}
