/** From which probability on a label is called present. */

/** Fewest known observations of each class; with fewer, the best threshold is an accident. */
const FEWEST = 5
const FALLBACK = 0.5

/**
 * For each label the threshold t with the highest F1 of "present when probability ≥ t"; of equal ones the highest,
 * which calls least. 0.5 for labels with fewer than 5 known positives or negatives.
 * probabilities and labels: [observations × count], row-major; NaN labels are unknown.
 */
export const fitThresholds = (
  probabilities: ArrayLike<number>,
  labels: Float32Array,
  count: number,
): readonly number[] => Array.from({ length: count }, (_, label) => fitThreshold(probabilities, labels, count, label))

const fitThreshold = (probabilities: ArrayLike<number>, labels: Float32Array, count: number, label: number): number => {
  const known: { p: number; y: number }[] = []
  for (let i = label; i < labels.length; i += count) {
    if (!Number.isNaN(labels[i]!)) known.push({ p: probabilities[i]!, y: labels[i]! })
  }
  const positives = known.filter(({ y }) => y === 1).length
  if (positives < FEWEST || known.length - positives < FEWEST) return FALLBACK
  known.sort((a, b) => b.p - a.p)
  let best = { f1: 0, threshold: FALLBACK }
  let hits = 0
  for (const [i, { p, y }] of known.entries()) {
    hits += y
    if (known[i + 1]?.p === p) continue // a threshold takes ties together
    const f1 = (2 * hits) / (i + 1 + positives)
    if (f1 > best.f1) best = { f1, threshold: p }
  }
  return best.threshold
}
