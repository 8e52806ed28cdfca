import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { withScoreSample } from './score-sample.ts'

const set = exampleTrainingSet({
  modalities: [{ name: 'only', tokens: 2, noise: 1 }],
  ...{ labels: 3, train: 5, validation: 40, seed: 2 },
})

test('a sample is drawn once: its rows and labels are those of its ids, in their order', () => {
  const { validation, train } = withScoreSample(set, 12, 7)
  const rows = validation.ids.map((id) => set.validation.ids.indexOf(id))
  expect(rows).toHaveLength(12)
  expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b))
  for (const [at, row] of rows.entries()) {
    expect(validation.rows.at(at)).toEqual(set.validation.rows[row])
    expect(validation.labels.subarray(3 * at, 3 * at + 3)).toEqual(set.validation.labels.slice(3 * row, 3 * row + 3))
  }
  expect(train).toBe(set.train)
  expect(withScoreSample(set, 12, 7).validation.ids).toEqual(validation.ids)
  expect(withScoreSample(set, 12, 8).validation.ids).not.toEqual(validation.ids)
})

test('a part that has no more is taken as it is', () => {
  expect(withScoreSample(set, undefined, 7)).toBe(set)
  expect(withScoreSample(set, 40, 7)).toBe(set)
})
