/**
 * Mean and deviation in one pass (Welford 1962, in the form of Knuth, TAOCP vol. 2, 4.2.2, eqs. 15–16), with no loss
 * when the mean is large beside the deviation (elevations, distances in metres).
 */

/** Beyond this, as in the tokenizer, a number is an error code and counts as missing. */
const LARGEST = 1e10

export type Moments = {
  /** Leaves out null, NaN, ±∞ and what is beyond ±1e10. */
  readonly add: (value: number | null | undefined) => void
  readonly end: () => {
    readonly count: number
    readonly mean: number
    /** Of the population. */
    readonly deviation: number
    readonly isConstant: boolean
  }
}

export const momentsOf = (): Moments => {
  let count = 0
  let mean = 0
  let squares = 0
  let least = Infinity
  let most = -Infinity
  return {
    add: (value) => {
      if (value === null || value === undefined || !(Math.abs(value) <= LARGEST)) return
      count++
      const off = value - mean
      mean += off / count
      squares += off * (value - mean)
      if (value < least) least = value
      if (value > most) most = value
    },
    end: () => {
      const isConstant = least === most
      return {
        count,
        mean: isConstant ? least : mean,
        deviation: count === 0 ? 0 : Math.sqrt(squares / count),
        isConstant,
      }
    },
  }
}
