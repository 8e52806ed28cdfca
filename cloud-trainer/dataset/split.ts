/** Which rows are for training, validation and test. */
import { randomStream } from '#shared/std/random.ts'
import { DatasetError } from './dataset-error.ts'
import type { Description } from './description.ts'
import type { Part } from './raw-set.ts'
import type { Table } from './table.ts'

type Split = Description['split']
type Shares = Extract<Split, { random: unknown }>['random']['shares']
type Blocks = Extract<Split, { blocks: unknown }>['blocks']

/** Shuffles of the blocks, of which the fairest is taken (MaskSDM does so with verde's BlockShuffleSplit). */
const SHUFFLES = 10

/**
 * The part of each row, null for none. `rows` are those that labels leave in; the classes of the rows, where there are
 * some, are for the random split.
 */
export const partsOf = (
  split: Split,
  main: Table,
  { rows, classes }: { readonly rows: readonly number[]; readonly classes: readonly string[] | null },
): readonly (Part | null)[] => {
  const parts = new Array<Part | null>(main.ids.length).fill(null)
  const assigned =
    'column' in split
      ? byColumn(split, main, rows)
      : 'blocks' in split
        ? byBlocks(split.blocks, main, rows)
        : byClass(split.random, rows, classes)
  for (const [i, row] of rows.entries()) parts[row] = assigned[i]!
  return parts
}

/** How errors and warnings call it. */
export const splitName = (split: Split): string =>
  'column' in split ? split.column : 'blocks' in split ? `${split.blocks.x}, ${split.blocks.y}` : 'random'

const byColumn = (
  split: Extract<Split, { column: string }>,
  main: Table,
  rows: readonly number[],
): readonly (Part | null)[] => {
  const parts = new Map<string, Part>()
  for (const part of ['train', 'validation', 'test'] as const) {
    for (const value of split[part]) parts.set(value, part)
  }
  return rows.map((row) => {
    const value = main.texts.get(split.column)![row]!
    if (value !== '') return parts.get(value) ?? null
    const place = { file: main.file, row: main.lines[row]!, column: split.column }
    throw new DatasetError('missing-value', 'a row without a part', place)
  })
}

/** Neither the order of the rows nor of the blocks counts. */
const byBlocks = ({ x, y, size, shares, seed }: Blocks, main: Table, rows: readonly number[]): readonly Part[] => {
  const blockOf = rows.map((row) => {
    const at = [x, y].map((column) => {
      const value = main.numbers.get(column)!.at(row)!
      if (!Number.isNaN(value)) return Math.floor(value / size)
      const place = { file: main.file, row: main.lines[row]!, column }
      throw new DatasetError('missing-value', 'a row without a place is in no block', place)
    })
    return at.join(' ')
  })
  const counts = new Map<string, number>()
  for (const block of blockOf) counts.set(block, (counts.get(block) ?? 0) + 1)
  const blocks = [...counts.keys()].sort()
  const random = randomStream(seed, 'blocks')
  let best: { readonly parts: ReadonlyMap<string, Part>; readonly off: number } | null = null
  for (let i = 0; i < SHUFFLES; i++) {
    const order = random.shuffle([...blocks])
    const shared = inShares(order.length, shares)
    const parts = new Map(order.map((block, at) => [block, shared[at]!]))
    const off = unfairness(parts, counts, rows.length)
    if (best === null || off < best.off) best = { parts, off }
  }
  return blockOf.map((block) => best!.parts.get(block)!)
}

/** How far the parts' shares of the rows are from their shares of the blocks. */
const unfairness = (parts: ReadonlyMap<string, Part>, counts: ReadonlyMap<string, number>, rows: number): number => {
  const off = { train: 0, validation: 0, test: 0 }
  for (const [block, part] of parts) off[part] += counts.get(block)! / rows - 1 / parts.size
  return Math.abs(off.train) + Math.abs(off.validation) + Math.abs(off.test)
}

/** Each class by itself, so that every part has its share of all of them. */
const byClass = (
  { shares, seed }: Extract<Split, { random: unknown }>['random'],
  rows: readonly number[],
  classes: readonly string[] | null,
): readonly Part[] => {
  const members = new Map<string, number[]>()
  for (const [i, row] of rows.entries()) {
    const own = classes?.[row] ?? ''
    const known = members.get(own)
    if (known) known.push(i)
    else members.set(own, [i])
  }
  const parts = new Array<Part>(rows.length)
  for (const [own, indices] of [...members].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const shared = inShares(indices.length, shares)
    for (const [at, i] of randomStream(seed, `class ${own}`)
      .shuffle([...indices])
      .entries())
      parts[i] = shared[at]!
  }
  return parts
}

/** Test and validation rounded to whole numbers, training gets the rest; in this order. */
const inShares = (count: number, { validation, test }: Shares): readonly Part[] => {
  const tests = Math.round(count * test)
  const validations = Math.min(count - tests, Math.round(count * validation))
  return Array.from({ length: count }, (_, i) =>
    i < tests ? 'test' : i < tests + validations ? 'validation' : 'train',
  )
}
