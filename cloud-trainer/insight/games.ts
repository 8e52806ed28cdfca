/** What a model is worth when it sees only some tokens: by a metric over many observations, or by the logits of one. */
import type { TokenSet } from '#shared/tokens/layout.ts'
import { percentileInterval } from '../metrics/percentile.ts'
import { restrict } from '../model/subset.ts'
import { pickRows, restrictRows, type TokenRows } from '../model/token-rows.ts'
import type { Values } from './shapley.ts'

/** Logits [rows × labels], row-major, uncalibrated. */
export type Predict = (rows: TokenRows) => Promise<ArrayLike<number>>

/**
 * A metric of logits [observations × labels], and the same on resamples of the observations. The draws must be the same
 * at every call: differences between masks are paired.
 */
export type Score = (logits: ArrayLike<number>) => {
  readonly value: number
  readonly resamples: readonly number[]
}

/** Values of hidden masks ([slots], 1 = hidden), in their order. */
export type MaskValues = (masks: readonly Uint8Array[]) => Promise<readonly Values[]>

/** The value, then its resamples. A mask is measured once, however often it is asked for. */
export const metricOfMasks = (options: {
  readonly rows: TokenRows
  readonly predict: Predict
  readonly score: Score
  readonly signal?: AbortSignal
  /** After each new mask: how many have been measured. */
  readonly onMask?: (measured: number) => void
}): MaskValues => {
  const { rows, predict, score, signal, onMask } = options
  const known = new Map<string, Float64Array>()
  const measure = async (hidden: Uint8Array): Promise<Float64Array> => {
    signal?.throwIfAborted()
    const seen = restrictRows(rows, { hidden })
    const { value, resamples } = score(await answers(predict, seen))
    return Float64Array.of(value, ...resamples)
  }
  return async (masks) => {
    const values: Float64Array[] = []
    for (const hidden of masks) {
      const key = String.fromCharCode(...hidden)
      const found = known.get(key) ?? (await measure(hidden))
      if (!known.has(key)) onMask?.(known.set(key, found).size)
      values.push(found)
    }
    return values
  }
}

/**
 * Logits of rows, in which those that show nothing share one answer: they are the same question, and answers of different
 * batches may differ in the last bit, which would break ties of a rank metric.
 */
const answers = async (predict: Predict, rows: TokenRows): Promise<ArrayLike<number>> => {
  const isEmpty = Array.from(rows, ({ hidden }) => !hidden.includes(0))
  const firstEmpty = isEmpty.indexOf(true)
  if (firstEmpty < 0) return predict(rows)
  const asked = isEmpty.flatMap((empty, r) => (empty && r !== firstEmpty ? [] : [r]))
  const given = Float64Array.from(await predict(pickRows(rows, asked)))
  const count = given.length / asked.length
  const place = new Map(asked.map((r, i) => [r, i]))
  const logits = new Float64Array(rows.length * count)
  for (const r of isEmpty.keys()) {
    const from = place.get(isEmpty[r] ? firstEmpty : r)! * count
    logits.set(given.subarray(from, from + count), r * count)
  }
  return logits
}

/** Rows that are asked for at once; bounds what is held of their logits. */
const ROWS_AT_ONCE = 1024

/** The logits of one observation for some labels (by index). */
export const logitsOfMasks =
  (options: {
    readonly row: TokenSet
    readonly labels: readonly number[]
    readonly predict: Predict
    readonly signal?: AbortSignal
  }): MaskValues =>
  async (masks) => {
    const { row, labels, predict, signal } = options
    const values: Float64Array[] = []
    for (let first = 0; first < masks.length; first += ROWS_AT_ONCE) {
      signal?.throwIfAborted()
      const rows = masks.slice(first, first + ROWS_AT_ONCE).map((hidden) => restrict(row, { hidden }))
      const logits = await predict(rows)
      const count = logits.length / rows.length
      for (const r of rows.keys()) values.push(Float64Array.from(labels, (label) => logits[r * count + label]!))
    }
    return values
  }

export type Estimate = { readonly value: number; readonly low: number; readonly high: number }

/** Of a value and its resamples: the 95 % percentile interval, closed to the value when there are no resamples. */
export const estimateOf = (values: Values): Estimate => {
  const [value, ...resamples] = Array.from(values)
  return { value: value!, ...(percentileInterval(resamples) ?? { low: value!, high: value! }) }
}

export const difference = (a: Values, b: Values): Float64Array => Float64Array.from(a, (value, k) => value - b[k]!)
