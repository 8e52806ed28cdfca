/** The observations of the validation part that the scores of each epoch are taken from, when not from all. */
import { randomStream } from '#shared/std/random.ts'
import { pickRows } from '../model/token-rows.ts'
import type { Examples, TrainingSet } from '../model/training-set.ts'

/**
 * The set with `most` observations of its validation part, drawn once for the whole run and left in their order; the set
 * itself when it has no more, or `most` is undefined.
 */
export const withScoreSample = (set: TrainingSet, most: number | undefined, seed: number): TrainingSet => {
  const count = set.validation.rows.length
  if (most === undefined || most >= count) return set
  const drawn = randomStream(seed, 'score sample').shuffle(Int32Array.from({ length: count }, (_, i) => i))
  return { ...set, validation: picked(set.validation, drawn.subarray(0, most).toSorted(), set.labels.length) }
}

const picked = ({ ids, rows, labels }: Examples, chosen: Int32Array, count: number): Examples => {
  const own = new Float32Array(chosen.length * count)
  for (const [at, row] of chosen.entries()) own.set(labels.subarray(row * count, (row + 1) * count), at * count)
  return { ids: Array.from(chosen, (row) => ids[row]!), rows: pickRows(rows, [...chosen]), labels: own }
}
