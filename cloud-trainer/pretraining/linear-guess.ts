/** What a linear predictor makes of a missing modality: the yardstick of any-to-any prediction. */
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { TargetScale } from '../model/reconstruction-batch.ts'
import type { TokenRows } from '../model/token-rows.ts'
import { type Products, ridge, sumProducts } from './ridge.ts'

type LinearError = {
  /** Mean squared error of scaled numbers, averaged as the model's is. */
  readonly error: number
  readonly penalty: number
}

export type LinearGuess = {
  /**
   * `hidden`: [slots], 1 = hidden from the predictor; `target`: a modality of which the measured rows have something. Null
   * where no training row has the whole target.
   */
  readonly error: (hidden: Uint8Array, target: number) => LinearError | null
}

type Parts = {
  readonly train: TokenRows
  /** The penalty is chosen on these. */
  readonly validation: TokenRows
  readonly measured: TokenRows
}

/** Beyond so many numbers the sums of products take minutes. */
export const MOST_NUMBERS = 512

/** Relative to the number of rows, of scaled inputs. */
const PENALTIES = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]

/** A row as inputs: 1, then the scaled numbers, 0 (the mean) where a token is missing; and which slots are missing. */
type Row = { readonly values: Float64Array; readonly missing: Uint8Array }

export const openLinearGuess = (layout: TokenLayout, scale: TargetScale, parts: Parts): LinearGuess => {
  const validation = Array.from(parts.validation, (row) => rowOf(layout, scale, row))
  const measured = Array.from(parts.measured, (row) => rowOf(layout, scale, row))
  const slotsOf = layout.modalities.map((_, m) =>
    layout.slots.flatMap(({ modality }, s) => (modality === m ? [s] : [])),
  )
  /** Training rows that have the whole target, one at a time: all of them may be more than memory holds. */
  const wholeRows = function* (target: number): Iterable<Float64Array> {
    for (const row of parts.train) {
      if (slotsOf[target]!.every((s) => row.hidden[s] === 0)) yield rowOf(layout, scale, row).values
    }
  }
  const known = new Map<number, Products>()
  const productsFor = (target: number): Products => {
    const before = known.get(target)
    if (before !== undefined) return before
    const made = sumProducts(1 + layout.featureCount, wholeRows(target))
    known.set(target, made)
    return made
  }
  const numbersOf = (s: number): readonly number[] => {
    const { block, offset } = layout.slots[s]!
    return Array.from({ length: layout.blocks[block]!.features }, (_, i) => 1 + offset + i)
  }

  return {
    error: (hidden, target) => {
      const products = productsFor(target)
      if (products.count === 0) return null
      const slots = slotsOf[target]!
      const inputs = [0, ...layout.slots.flatMap((_, s) => (hidden[s] === 0 ? numbersOf(s) : []))]
      const outputs = slots.flatMap(numbersOf)
      const errorOf = (rows: readonly Row[], coefficients: Float64Array): number => {
        let sum = 0
        let tokens = 0
        const guesses = new Float64Array(outputs.length)
        for (const { values, missing } of rows) {
          guesses.fill(0)
          addProduct(values, inputs, coefficients, guesses)
          let at = 0
          for (const s of slots) {
            const numbers = numbersOf(s)
            if (missing[s] === 0) {
              let own = 0
              for (const [i, number] of numbers.entries()) own += (guesses[at + i]! - values[number]!) ** 2
              sum += own / numbers.length
              tokens++
            }
            at += numbers.length
          }
        }
        return sum / tokens
      }
      const fits = PENALTIES.map((penalty) => {
        const coefficients = ridge(products, inputs, outputs, penalty)
        return { penalty, coefficients, error: errorOf(validation, coefficients) }
      })
      // A validation part without the target leaves the largest penalty.
      const best = fits.reduce((a, b) => (b.error <= a.error || Number.isNaN(a.error) ? b : a))
      return { error: errorOf(measured, best.coefficients), penalty: best.penalty }
    },
  }
}

const rowOf = ({ slots, blocks, featureCount }: TokenLayout, scale: TargetScale, row: TokenSet): Row => {
  const { features, hidden } = row
  const values = new Float64Array(1 + featureCount)
  values[0] = 1
  for (const [s, { block, offset }] of slots.entries()) {
    if (hidden[s] === 1) continue
    for (let i = offset; i < offset + blocks[block]!.features; i++) {
      values[1 + i] = (features[i]! - scale.mean[i]!) / scale.deviation[i]!
    }
  }
  return { values, missing: hidden }
}

const addProduct = (
  values: Float64Array,
  inputs: readonly number[],
  coefficients: Float64Array,
  into: Float64Array,
): void => {
  for (const [i, input] of inputs.entries()) {
    const x = values[input]!
    if (x === 0) continue
    for (let o = 0; o < into.length; o++) into[o]! += x * coefficients[i * into.length + o]!
  }
}
