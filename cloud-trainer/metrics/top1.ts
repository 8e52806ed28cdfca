/** Metrics of the single-label task. An observation's labels are 1 for its class and 0 for the others. */

/** The class of observation `row` by index: where its labels [observations × count] have a 1. −1 when unknown. */
export const classOf = (labels: ArrayLike<number>, row: number, count: number): number => {
  for (let c = 0; c < count; c++) if (labels[row * count + c] === 1) return c
  return -1
}

/** The largest logit of observation `row`; a tie goes to the lowest class. −1 when none is a number. */
export const topClass = (logits: ArrayLike<number>, row: number, count: number): number => {
  let top = -1
  let highest = Number.NEGATIVE_INFINITY
  for (let c = 0; c < count; c++) {
    const logit = logits[row * count + c]!
    if (logit > highest || (top < 0 && logit === highest)) {
      highest = logit
      top = c
    }
  }
  return top
}

/**
 * Share of observations whose largest logit is that of their class; those without a known class are left out.
 * logits and labels: [observations × count], row-major. NaN when no class is known.
 */
export const top1 = (logits: ArrayLike<number>, labels: Float32Array, count: number): number => {
  let known = 0
  let right = 0
  for (let row = 0; row * count < labels.length; row++) {
    const own = classOf(labels, row, count)
    if (own < 0) continue
    known++
    if (topClass(logits, row, count) === own) right++
  }
  return right / known
}
