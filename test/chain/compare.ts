/** What the edge stored beside what the trainer measured: differences of probabilities, and one table from each. */

import { evaluatedLabels, macroAuc } from '#cloud/metrics/auc.ts'
import type { Subset } from '#cloud/model/subset.ts'
import { assert } from '#shared/std/assert.ts'

/** [sites × labels] of one subset; NaN where there is no prediction. */
export type SubsetProbabilities = {
  readonly subset: Subset
  readonly edge: Float64Array
  readonly trainer: Float64Array
}

type SubsetComparison = {
  readonly name: string
  readonly group: Subset['group']
  /** Macro AUC, 0 to 1. */
  readonly edge: number
  readonly trainer: number
  readonly maxAbsProbabilityDifference: number
  /** Sites with a prediction of both sides. */
  readonly sites: number
}

export type Comparison = {
  /** Indices of the labels with enough of both classes. */
  readonly evaluated: readonly number[]
  readonly subsets: readonly SubsetComparison[]
  readonly maxAbsProbabilityDifference: number
  readonly maxAbsAucDifference: number
  readonly average: { readonly edge: number; readonly trainer: number }
}

/** Fewest positives and negatives of a label in the test part. */
export const FEWEST_OF_A_CLASS = 5

export const compare = (
  all: readonly SubsetProbabilities[],
  labels: Float32Array,
  count: number,
  fewest = FEWEST_OF_A_CLASS,
): Comparison => {
  const evaluated = evaluatedLabels(labels, count, fewest)
  const subsets = all.map((one) => compareSubset(one, labels, count, evaluated))
  const most = (values: readonly number[]) => values.reduce((a, b) => (Number.isNaN(b) || b > a ? b : a), 0)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    evaluated,
    subsets,
    maxAbsProbabilityDifference: most(subsets.map((it) => it.maxAbsProbabilityDifference)),
    maxAbsAucDifference: most(subsets.map((it) => Math.abs(it.edge - it.trainer))),
    average: { edge: mean(subsets.map((it) => it.edge)), trainer: mean(subsets.map((it) => it.trainer)) },
  }
}

const compareSubset = (
  { subset, edge, trainer }: SubsetProbabilities,
  labels: Float32Array,
  count: number,
  evaluated: readonly number[],
): SubsetComparison => {
  assert(edge.length === labels.length && trainer.length === labels.length, 'one probability for each label of a site')
  // Both tables over the same sites: what nobody predicted is unknown in both.
  const known = labels.map((label, i) => (Number.isNaN(edge[i]! + trainer[i]!) ? Number.NaN : label))
  let difference = 0
  let cells = 0
  for (let i = 0; i < edge.length; i++) {
    if (Number.isNaN(edge[i]! + trainer[i]!)) continue
    cells++
    difference = Math.max(difference, Math.abs(edge[i]! - trainer[i]!))
  }
  const auc = (side: Float64Array) => macroAuc(withTies(side, count), known, count, evaluated)
  return {
    name: subset.name,
    group: subset.group,
    edge: auc(edge),
    trainer: auc(trainer),
    maxAbsProbabilityDifference: difference,
    sites: cells / count,
  }
}

/** Far above what the order of float32 sums changes (1e-7), far below what tells two sites apart. */
const TIE = 1e-6

/**
 * Sites with equal inputs tie exactly only when one batch holds them all; elsewhere the last bits of float32 sums rank
 * them by chance, on either side. So what lies within TIE of its neighbour takes its neighbour's value.
 */
const withTies = (probabilities: Float64Array, count: number): Float64Array => {
  const tied = probabilities.slice()
  for (let label = 0; label < count; label++) {
    const order = Array.from({ length: tied.length / count }, (_, row) => row * count + label)
      .filter((i) => !Number.isNaN(tied[i]!))
      .sort((a, b) => probabilities[a]! - probabilities[b]!)
    for (const [n, i] of order.entries()) {
      const before = order[n - 1]
      if (before !== undefined && probabilities[i]! - probabilities[before]! <= TIE) tied[i] = tied[before]!
    }
  }
  return tied
}

const PROBABILITY_LIMIT = 1e-5
const AUC_LIMIT = 1e-4

/** Why the edge's answers are not the trainer's; empty when they are. */
export const complaintsOf = ({ maxAbsProbabilityDifference, maxAbsAucDifference }: Comparison): readonly string[] => [
  // Written so that NaN complains.
  ...(maxAbsProbabilityDifference <= PROBABILITY_LIMIT
    ? []
    : [`probabilities differ by ${maxAbsProbabilityDifference}, more than ${PROBABILITY_LIMIT}`]),
  ...(maxAbsAucDifference <= AUC_LIMIT ? [] : [`macro AUCs differ by ${maxAbsAucDifference}, more than ${AUC_LIMIT}`]),
]

const GROUPS: readonly (readonly [Subset['group'], string])[] = [
  ['partial', 'partial'],
  ['single', 'one modality'],
  ['pair', 'pairs'],
  ['leave-one-out', 'all but one'],
  ['all', 'all'],
]

/** Mean of the edge's and the trainer's AUCs by group of subsets. */
export const groupMeans = ({ subsets }: Comparison) =>
  GROUPS.flatMap(([group, title]) => {
    const some = subsets.filter((it) => it.group === group)
    const mean = (side: 'edge' | 'trainer') => some.reduce((sum, it) => sum + it[side], 0) / some.length
    return some.length === 0 ? [] : [{ group, title, edge: mean('edge'), trainer: mean('trainer') }]
  })

export const formatTable = (comparison: Comparison): string => {
  const width = Math.max(24, ...comparison.subsets.map(({ name }) => name.length))
  const percent = (value: number) => (100 * value).toFixed(2).padStart(8)
  const line = (name: string, edge: number, trainer: number, rest = '') =>
    `${name.padEnd(width)} ${percent(edge)} ${percent(trainer)}${rest}`.trimEnd()
  const { average, subsets } = comparison
  return [
    `${'macro AUC %'.padEnd(width)} ${'edge'.padStart(8)} ${'trainer'.padStart(8)}  max |Δp|`,
    ...subsets.map((it) => line(it.name, it.edge, it.trainer, `  ${it.maxAbsProbabilityDifference.toExponential(1)}`)),
    '─'.repeat(width + 29),
    ...groupMeans(comparison).map(({ title, edge, trainer }) => line(`mean: ${title}`, edge, trainer)),
    line('mean of all subsets', average.edge, average.trainer),
  ].join('\n')
}
