/**
 * The Oracle of the paper's tables: not a law for masks but one model for each subset of the inputs, which never sees
 * anything else. It bounds what one model for all subsets can reach.
 */
import { sha256Hex } from '#shared/bundle/hash.ts'
import { assert } from '#shared/std/assert.ts'
import type { StrategyOptions } from './masking/strategy.ts'
import type { Subset } from './model/subset.ts'
import { restrictRows } from './model/token-rows.ts'
import type { Examples, TrainingSet } from './model/training-set.ts'

/** Inside its subset an oracle has p = 0. */
export const ORACLE_STRATEGY: StrategyOptions = { name: 'none' }

/**
 * The set with everything outside the subset hidden in every part, as if it had never been measured: layout, labels
 * and features stay, so the trunk is that of any other model, and on this set "all" is the subset. Features are
 * shared with the set. Its hash is of the set and the subset: checkpoints of one are not gone on from with another.
 */
export const restrictSet = (set: TrainingSet, subset: Pick<Subset, 'hidden'>): TrainingSet => {
  const { hidden } = subset
  assert(hidden.length === set.layout.slots.length, 'a subset is of the set', { slots: hidden.length })
  assert(hidden.includes(0), 'an oracle sees something')
  if (!hidden.includes(1)) return set
  const restricted = (examples: Examples): Examples => ({
    ...examples,
    rows: restrictRows(examples.rows, subset),
  })
  return {
    ...set,
    train: restricted(set.train),
    validation: restricted(set.validation),
    test: set.test && restricted(set.test),
    hash: sha256Hex(`${set.hash} without ${hidden.join('')}`),
  }
}
