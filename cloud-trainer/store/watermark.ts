/** Which rows of one epoch are stored: everything up to a watermark, and ranges beyond it. */

type Range = readonly [first: number, last: number]

export type Received = {
  /** Every row with seq ≤ upTo is stored. */
  readonly upTo: number
  /** Further stored rows, inclusive, rising, never touching one another or the watermark. */
  readonly ranges: readonly Range[]
}

/** Joins sequence numbers above `upTo` (distinct, rising) into ranges; a run that continues the watermark moves it. */
export const receivedOf = (upTo: number, above: Iterable<number>): Received => {
  const ranges: [number, number][] = []
  let mark = upTo
  for (const seq of above) {
    const open = ranges.at(-1)
    if (open === undefined && seq === mark + 1) mark = seq
    else if (open !== undefined && seq === open[1] + 1) open[1] = seq
    else ranges.push([seq, seq])
  }
  return { upTo: mark, ranges }
}

/**
 * The same with further rows, in any order. Its cost follows the ranges and what is new, not the rows there are: a
 * cloud that began anew has a gap before all that an old station still sends, and its watermark never moves.
 */
export const withRows = ({ upTo, ranges }: Received, seqs: readonly number[]): Received => {
  const rising = [...ranges, ...seqs.map((seq): Range => [seq, seq])].sort(([a], [b]) => a - b)
  const joined: [number, number][] = []
  let mark = upTo
  for (const [first, last] of rising) {
    const open = joined.at(-1)
    if (open === undefined && first <= mark + 1) mark = Math.max(mark, last)
    else if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last)
    else joined.push([first, last])
  }
  return { upTo: mark, ranges: joined }
}

/** As much as fits into one receipt. The lowest ranges come first: they are what the station would send again soonest. */
export const limitRanges = ({ upTo, ranges }: Received, limit: number): Received => ({
  upTo,
  ranges: ranges.slice(0, limit),
})
