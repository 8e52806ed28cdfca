import fc from 'fast-check'
import { expect, test } from 'vitest'
import { auc, evaluatedLabels, macroAuc } from './auc.ts'

/** Share of (positive, negative) pairs in the right order, ties counting half: the definition, slowly. */
const pairwise = (scores: readonly number[], labels: readonly number[]): number => {
  let right = 0
  let pairs = 0
  for (let p = 0; p < scores.length; p++) {
    for (let n = 0; n < scores.length; n++) {
      if (labels[p] !== 1 || labels[n] !== 0) continue
      pairs++
      right += scores[p]! > scores[n]! ? 1 : scores[p] === scores[n] ? 0.5 : 0
    }
  }
  return pairs === 0 ? 0.5 : right / pairs
}

test('examples worked by hand', () => {
  expect(auc([0.1, 0.5, 0.7, 0.8], [1, 0, 1, 1])).toBeCloseTo(2 / 3, 12)
  expect(auc([1, 1, 1, 0], [1, 0, 1, 0])).toBe(0.75)
  expect(auc([1, 2, 3], [1, 1, 1])).toBe(0.5)
})

test('it is the share of pairs in the right order, whatever the ties and gaps', () => {
  const cases = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom(0, 1, Number.NaN)), { maxLength: 40 })
  fc.assert(
    fc.property(cases, (rows) => {
      const scores = rows.map(([score]) => score)
      const labels = rows.map(([, label]) => label)
      expect(auc(scores, labels)).toBeCloseTo(pairwise(scores, labels), 12)
    }),
  )
})

test('the macro mean leaves out labels that lack a class', () => {
  const labels = Float32Array.from([1, 1, 0, 0, 1, Number.NaN, 1, 1, 0, 0, 1, 1])
  const evaluated = evaluatedLabels(labels, 3)
  expect(evaluated).toEqual([0, 2])
  const scores = [0.9, 0, 0.2, 0.1, 0, 0.5, 0.8, 0, 0.3, 0.2, 0, 0.7]
  expect(macroAuc(scores, labels, 3, evaluated)).toBeCloseTo((1 + 1) / 2, 12)
})
