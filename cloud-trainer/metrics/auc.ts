/**
 * Area under the ROC curve of one label: (R⁺ − n⁺(n⁺+1)/2) / (n⁺·n⁻), where R⁺ is the sum of the ranks of the
 * positives, ties taking their mean rank (Mann and Whitney 1947). Labels are 1, 0, or NaN for unknown, which
 * are left out. 0.5 when one of the classes is absent.
 */
export const auc = (scores: ArrayLike<number>, labels: ArrayLike<number>): number => {
  const known: number[] = []
  for (let i = 0; i < labels.length; i++) if (!Number.isNaN(labels[i]!)) known.push(i)
  const order = known.sort((a, b) => scores[a]! - scores[b]!)
  let rankSum = 0
  let positives = 0
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (end < order.length && scores[order[end]!] === scores[order[first]!]) end++
    const meanRank = (first + 1 + end) / 2
    for (let i = first; i < end; i++) {
      if (labels[order[i]!] !== 1) continue
      rankSum += meanRank
      positives++
    }
    first = end
  }
  const negatives = order.length - positives
  if (positives === 0 || negatives === 0) return 0.5
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
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
