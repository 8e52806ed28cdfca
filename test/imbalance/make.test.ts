import { expect, test } from 'vitest'
import { macroAuc } from '#cloud/metrics/auc.ts'
import { type Dials, MIDDLE, modalitiesOf } from './dials.ts'
import { folderOf } from './folder.ts'
import { LABELS, type MadeSet, makeSet, TOKEN_SIZE } from './make.ts'
import { madeTrainingSet } from './runs.ts'

const FACTORS = TOKEN_SIZE - 1
const make = (dials: Partial<Dials>, seed = 1) => makeSet({ ...MIDDLE, train: 3000, validation: 1000, ...dials }, seed)

/** Factor f of modality m in each row, as the mean of its tokens shows it; a code's sign is taken off by `decode`. */
const shown = ({ rows, modalities }: MadeSet, m: number, f: number, decode = false): readonly number[] =>
  rows.map((row) => {
    const { tokens } = modalities[m]!
    const values = row.tokens[m]!
    const sum = Array.from({ length: tokens }, (_, t) => values[t * TOKEN_SIZE + f]!).reduce((a, b) => a + b, 0)
    return (decode ? Math.sign(values[FACTORS]!) : 1) * (sum / tokens)
  })

const correlation = (a: readonly number[], b: readonly number[]): number => {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0)
  return product(a, meanA, b, meanB) / Math.sqrt(product(a, meanA, a, meanA) * product(b, meanB, b, meanB))
}

/** Five standard errors of a correlation of n pairs near 0, the widest case. */
const within = ({ rows }: MadeSet) => 5 / Math.sqrt(rows.length)

test.each([
  [1, [0.9, 0.9, 0.9]],
  [4, [0.9, 0.45, 0.225]],
  [16, [0.9, 0.225, 0.05625]],
])('a dominance of %d is a ladder of reliabilities', (dominance, expected) => {
  const ladder = modalitiesOf({ ...MIDDLE, dominance }).map(({ reliability }) => reliability)
  for (const [m, reliability] of expected.entries()) expect(ladder[m]).toBeCloseTo(reliability, 12)
  // Where all show one state, what two modalities have in common is the root of their reliabilities' product.
  const made = make({ dominance, redundancy: 1 })
  for (const m of [1, 2]) {
    const common = Math.sqrt(expected[0]! * expected[m]!)
    expect(Math.abs(correlation(shown(made, 0, 0), shown(made, m, 0)) - common)).toBeLessThan(within(made))
  }
})

test.each([0, 0.3, 1])('with a redundancy of %d two modalities share so much of what they show', (redundancy) => {
  const made = make({ dominance: 1, redundancy })
  const common = correlation(shown(made, 0, 2), shown(made, 1, 2))
  expect(Math.abs(common - 0.9 * redundancy)).toBeLessThan(within(made))
})

test('more tokens say the same together, each of them less', () => {
  const dials = { dominance: 1, redundancy: 1, tokens: [2, 18] as const }
  expect(modalitiesOf({ ...MIDDLE, ...dials }).map(({ tokens }) => tokens)).toEqual([2, 6, 18])
  const made = make(dials)
  expect(Math.abs(correlation(shown(made, 0, 1), shown(made, 2, 1)) - 0.9)).toBeLessThan(within(made))
  // Of one token alone, the noise has T times the variance: reliability 1 / (1 + T·(1 − q)/q).
  const one = made.rows.map((row) => row.tokens[2]![1]!)
  const alone = Math.sqrt(0.9 / (1 + (18 * 0.1) / 0.9))
  expect(Math.abs(correlation(shown(made, 0, 1), one) - alone)).toBeLessThan(within(made))
})

test('a code hides the weaker half from whatever is linear, and nothing else', () => {
  const dials = { dominance: 1, redundancy: 1, modalities: 4 }
  expect(modalitiesOf({ ...MIDDLE, ...dials, weakHalf: 'coded' }).map(({ isCoded }) => isCoded)).toEqual([
    false,
    false,
    true,
    true,
  ])
  const made = make({ ...dials, weakHalf: 'coded' })
  expect(Math.abs(correlation(shown(made, 0, 3), shown(made, 3, 3)))).toBeLessThan(within(made))
  expect(Math.abs(correlation(shown(made, 0, 3), shown(made, 3, 3, true)) - 0.9)).toBeLessThan(within(made))
})

test('a linear probe of each modality knows less down the ladder', () => {
  const made = make({ dominance: 16, redundancy: 0.5 })
  const probes = made.modalities.map((_, m) => probe(made, m))
  expect(probes[0]).toBeGreaterThan(probes[1]! + 0.05)
  expect(probes[1]).toBeGreaterThan(probes[2]! + 0.05)
  expect(probes[2]).toBeGreaterThan(0.52)
})

/** Macro AUC on the test part of the label's covariance with each factor, which is the best linear rule: factors are independent. */
const probe = (made: MadeSet, m: number): number => {
  const { rows } = made
  const isTest = rows.map(({ part }) => part === 'test')
  const factors = Array.from({ length: FACTORS }, (_, f) => shown(made, m, f))
  const directions = Array.from({ length: LABELS }, (_, label) =>
    factors.map((values) =>
      values.reduce((sum, value, i) => sum + (isTest[i] ? 0 : value * (rows[i]!.labels[label]! - 0.3)), 0),
    ),
  )
  const tested = rows.flatMap((row, i) => (isTest[i] ? [{ row, i }] : []))
  const scores = tested.flatMap(({ i }) =>
    directions.map((direction) => direction.reduce((sum, weight, f) => sum + weight * factors[f]![i]!, 0)),
  )
  const labels = Float32Array.from(tested.flatMap(({ row }) => Array.from(row.labels)))
  return macroAuc(scores, labels, LABELS, [...directions.keys()])
}

test('labels are neither rare nor certain, and equal seeds give equal files', () => {
  const made = make({})
  for (let label = 0; label < LABELS; label++) {
    const share = made.rows.filter((row) => row.labels[label] === 1).length / made.rows.length
    expect(share).toBeGreaterThan(0.1)
    expect(share).toBeLessThan(0.55)
  }
  const small = { ...MIDDLE, train: 20, validation: 10 }
  expect(folderOf(makeSet(small, 3))).toEqual(folderOf(makeSet(small, 3)))
  expect(folderOf(makeSet(small, 3))['labels.csv']).not.toBe(folderOf(makeSet(small, 4))['labels.csv'])
})

test('the trainer reads it as it was made', async () => {
  const dials: Dials = { ...MIDDLE, tokens: [3, 1], train: 30, validation: 20 }
  const set = await madeTrainingSet(dials, 1)
  expect(set.layout.slots.map(({ name }) => name)).toEqual([
    'm1.v[0]',
    'm1.v[1]',
    'm1.v[2]',
    'm2.v[0]',
    'm2.v[1]',
    'm3.v[0]',
  ])
  expect([set.train, set.validation, set.test!].map(({ ids }) => ids.length)).toEqual([30, 20, 800])
  expect(set.train.rows.at(0)!.hidden.includes(1)).toBe(false)
  const made = makeSet(dials, 1)
  expect(Array.from(set.train.labels.subarray(0, LABELS))).toEqual(Array.from(made.rows[0]!.labels))
  expect((await madeTrainingSet(dials, 1)).hash).toBe(set.hash)
})
