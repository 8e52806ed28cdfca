/** Chooses the observations that a model proves itself on: real ones, with as little visible as may happen in the field. */
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { restrict, type Subset, standardSubsets } from '../model/subset.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { ExportError } from './export-error.ts'

/** At least this many. */
const SELF_TESTS = 64

export type SelfTestRow = { readonly name: string; readonly row: TokenSet }

/** A row in its plainest form: hidden features are zero, whatever the observation has there. */
const bare = (layout: TokenLayout, { features, hidden }: TokenSet): TokenSet => {
  const kept = new Float32Array(features.length)
  for (const [s, { block, offset }] of layout.slots.entries()) {
    if (hidden[s] !== 0) continue
    const end = offset + layout.blocks[block]!.features
    kept.set(features.subarray(offset, end), offset)
  }
  return { features: kept, hidden: hidden.slice() }
}

const isEmpty = ({ hidden }: TokenSet): boolean => !hidden.includes(0)

/** One token of each modality, alone, from the first observations that have one. */
const singleTokens = (layout: TokenLayout, rows: readonly TokenSet[], pick: (n: number) => number): SelfTestRow[] =>
  layout.modalities.flatMap((_, m) => {
    const ofModality = (row: TokenSet): number[] =>
      [...layout.slots.keys()].filter((s) => layout.slots[s]!.modality === m && row.hidden[s] === 0)
    const row = rows.find((candidate) => ofModality(candidate).length > 0)
    if (row === undefined) return []
    const visible = ofModality(row)
    const slot = visible[pick(visible.length)]!
    const hidden = new Uint8Array(layout.slots.length).fill(1)
    hidden[slot] = 0
    return [{ name: `only ${layout.slots[slot]!.name}`, row: { features: row.features, hidden } }]
  })

/**
 * `count` rows or a few more: the empty one, a single token of each modality, one observation as it is, then the
 * subsets in turn, each of another observation.
 */
export const selfTestRows = (
  layout: TokenLayout,
  rows: readonly TokenSet[],
  subsets: readonly Subset[],
  { seed, count }: { readonly seed: number; readonly count: number },
): readonly SelfTestRow[] => {
  const random = randomStream(seed, 'self-test')
  const order = random.shuffle(rows.filter((row) => !isEmpty(row)))
  if (order.length === 0) throw new ExportError('no-observations', 'no observation shows anything to the model')
  const nothing: TokenSet = { features: order[0]!.features, hidden: new Uint8Array(layout.slots.length).fill(1) }
  const chosen: SelfTestRow[] = [
    { name: 'empty', row: nothing },
    ...singleTokens(layout, order, random.index),
    { name: 'as observed', row: order[0]! },
  ]
  // A subset may be empty in every observation, so the number of tries is bounded.
  for (let i = 0; chosen.length < count && i < 8 * count; i++) {
    const subset = subsets[i % subsets.length]!
    const row = restrict(order[i % order.length]!, subset)
    if (!isEmpty(row)) chosen.push({ name: `${subset.name} ${i}`, row })
  }
  for (let i = 0; chosen.length < count; i++) chosen.push({ name: `as observed ${i}`, row: order[i % order.length]! })
  return chosen.map(({ name, row }) => ({ name, row: bare(layout, row) }))
}

/** Those that every form of a model of this set proves itself on, from the validation part. */
export const selfTestsOf = (
  { layout, validation }: Pick<TrainingSet, 'layout' | 'validation'>,
  seed: number,
): readonly SelfTestRow[] =>
  selfTestRows(layout, [...validation.rows], standardSubsets(layout), { seed, count: SELF_TESTS })
