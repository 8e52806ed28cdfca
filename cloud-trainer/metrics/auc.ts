/**
 * Area under the ROC curve of one label: the share of (positive, negative) pairs in which the positive has the higher
 * score, ties counting half (Mann and Whitney 1947); the same as (R⁺ − n⁺(n⁺+1)/2) / (n⁺·n⁻) with mid-ranks. Labels
 * are 1, 0, or NaN for unknown, which are left out. Scores are numbers. 0.5 when one of the classes is absent.
 */
export const auc = (scores: ArrayLike<number>, labels: ArrayLike<number>): number => {
  const positives = new Float64Array(labels.length)
  const negatives = new Float64Array(labels.length)
  let p = 0
  let n = 0
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) positives[p++] = scores[i]!
    else if (labels[i] === 0) negatives[n++] = scores[i]!
  }
  // Typed arrays sort their numbers natively: several times faster than ranks by a comparison of ours.
  return shareInOrder(positives.subarray(0, p).sort(), negatives.subarray(0, n).sort())
}

/** Both rising. */
const shareInOrder = (positives: Float64Array, negatives: Float64Array): number => {
  if (positives.length === 0 || negatives.length === 0) return 0.5
  let below = 0
  let upTo = 0
  let twiceWon = 0
  for (const score of positives) {
    while (below < negatives.length && negatives[below]! < score) below++
    upTo = Math.max(upTo, below)
    while (upTo < negatives.length && negatives[upTo] === score) upTo++
    twiceWon += below + upTo
  }
  return twiceWon / (2 * positives.length * negatives.length)
}

/** Labels with at least `fewest` positives and as many negatives: the others say nothing about a model. */
export const evaluatedLabels = (labels: Float32Array, count: number, fewest = 1): readonly number[] => {
  const positives = new Int32Array(count)
  const negatives = new Int32Array(count)
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) positives[i % count]!++
    else if (labels[i] === 0) negatives[i % count]!++
  }
  return Array.from({ length: count }, (_, c) => c).filter((c) => positives[c]! >= fewest && negatives[c]! >= fewest)
}

/**
 * Plain mean of the AUCs of these labels. scores and labels: [observations × count], row-major.
 * NaN when no label is evaluated.
 */
export const macroAuc = (
  scores: ArrayLike<number>,
  labels: Float32Array,
  count: number,
  evaluated: readonly number[],
): number => {
  const rows = labels.length / count
  const column = new Float64Array(rows)
  const truth = new Float64Array(rows)
  let sum = 0
  for (const c of evaluated) {
    for (let r = 0; r < rows; r++) {
      column[r] = scores[r * count + c]!
      truth[r] = labels[r * count + c]!
    }
    sum += auc(column, truth)
  }
  return sum / evaluated.length
}
