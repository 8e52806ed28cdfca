/** A part of the labels, to see what can be learned from few. */
import { sha256Hex } from '#shared/bundle/hash.ts'
import { randomStream } from '#shared/std/random.ts'
import { allLabels, pickRows } from './model/token-rows.ts'
import type { TrainingSet } from './model/training-set.ts'

/**
 * The set with a seeded share (above 0, up to 1) of those examples of the training part that have a known label, in
 * their order; at least one. With one seed a smaller share is part of a larger one. Specs stay as they were fitted to
 * all inputs. The hash is of the set, the share and the seed.
 */
export const withLabelShare = (set: TrainingSet, share: number, seed: number): TrainingSet => {
  if (share === 1) return set
  const { ids, rows } = set.train
  const width = set.labels.length
  const labels = allLabels(set.train.labels)
  const labelsOf = (row: number) => labels.subarray(row * width, (row + 1) * width)
  const known = ids.map((_, row) => row).filter((row) => !labelsOf(row).every(Number.isNaN))
  const count = Math.max(1, Math.round(share * known.length))
  const picked = randomStream(seed, 'label-share')
    .shuffle(known)
    .slice(0, count)
    .sort((a, b) => a - b)
  const chosen = new Float32Array(picked.length * width)
  for (const [at, row] of picked.entries()) chosen.set(labelsOf(row), at * width)
  return {
    ...set,
    train: { ids: picked.map((row) => ids[row]!), rows: pickRows(rows, picked), labels: chosen },
    hash: sha256Hex(`${set.hash} labels ${share} seed ${seed}`),
  }
}
