import type { LabelValues } from './token-rows.ts'

/** [labels] each: how many observations are known to have a label, and how many not to. */
export type LabelCounts = { readonly positive: Int32Array; readonly negative: Int32Array }

/** Numbers that are looked at in one go: what labels on disk take of memory. */
const AT_ONCE = 2 ** 20

/** `count`: labels of an observation. */
export const labelCounts = (labels: LabelValues, count: number): LabelCounts => {
  const positive = new Int32Array(count)
  const negative = new Int32Array(count)
  const step = count * Math.max(1, Math.floor(AT_ONCE / count))
  for (let first = 0; first < labels.length; first += step) {
    const some = labels.subarray(first, Math.min(first + step, labels.length))
    for (let i = 0; i < some.length; i++) {
      if (some[i] === 1) positive[i % count]!++
      else if (some[i] === 0) negative[i % count]!++
    }
  }
  return { positive, negative }
}
