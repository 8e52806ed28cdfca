/**
 * Area under the ROC curve, (R⁺ − n⁺(n⁺+1)/2) / (n⁺ n⁻), R⁺ being the sum of the positives' ranks with
 * mid-ranks for ties. 0.5 when one class is missing. Kept apart from the trainer's own, as its oracle.
 */
export const auc = (scores: readonly number[], isPositive: readonly boolean[]): number => {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!)
  let rankSum = 0
  let positives = 0
  for (let first = 0; first < order.length; ) {
    let last = first
    while (last + 1 < order.length && scores[order[last + 1]!] === scores[order[first]!]) last++
    for (let k = first; k <= last; k++) {
      if (!isPositive[order[k]!]) continue
      rankSum += (first + last) / 2 + 1
      positives++
    }
    first = last + 1
  }
  const negatives = scores.length - positives
  if (positives === 0 || negatives === 0) return 0.5
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}
