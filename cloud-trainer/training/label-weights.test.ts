import { expect, test } from 'vitest'
import { labelWeights } from './label-weights.ts'

const unknown = Number.NaN

test('positives and negatives of a label weigh the same in total; unknown ones are not counted', () => {
  // Columns: 1 of 4, 1 of 2 known, none, all, nothing known.
  const rows = [
    [1, 0, 0, 1, unknown],
    [0, 1, 0, 1, unknown],
    [0, unknown, 0, unknown, unknown],
    [0, unknown, unknown, 1, unknown],
  ]
  const { positive, negative, learnable, unlearnable } = labelWeights(Float32Array.from(rows.flat()), 5)
  expect(learnable).toEqual([0, 1])
  expect(unlearnable).toEqual([2, 3, 4])
  expect([...positive.slice(2), ...negative.slice(2)]).toEqual([0, 0, 0, 0, 0, 0])
  expect(positive[0]).toBeCloseTo(4, 4)
  expect(negative[0]).toBeCloseTo(4 / 3, 4)
  expect(positive[1]).toBeCloseTo(2, 4)
  expect(negative[1]).toBeCloseTo(2, 4)
})
