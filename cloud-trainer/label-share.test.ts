import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { withLabelShare } from './label-share.ts'

const set = exampleTrainingSet({
  modalities: [{ name: 'weather', tokens: 2, noise: 1 }],
  labels: 2,
  train: 200,
  validation: 20,
  seed: 1,
})

test('a share of the training part, with its rows and labels; smaller shares lie within larger ones', () => {
  const [small, large] = [withLabelShare(set, 0.1, 3), withLabelShare(set, 0.5, 3)]
  expect([small.train.ids.length, large.train.ids.length]).toEqual([20, 100])
  for (const id of small.train.ids) expect(large.train.ids).toContain(id)
  for (const part of [small, large]) {
    for (const [i, id] of part.train.ids.entries()) {
      const row = set.train.ids.indexOf(id)
      expect(part.train.rows.at(i)).toEqual(set.train.rows.at(row))
      expect(part.train.labels.subarray(2 * i, 2 * i + 2)).toEqual(set.train.labels.subarray(2 * row, 2 * row + 2))
    }
    expect(part.validation).toBe(set.validation)
  }
  expect(withLabelShare(set, 0.1, 3).hash).toBe(small.hash)
  expect(new Set([set.hash, small.hash, large.hash, withLabelShare(set, 0.1, 4).hash]).size).toBe(4)
})

test('all is the set itself; the least is one; rows without a known label are not drawn', () => {
  expect(withLabelShare(set, 1, 3)).toBe(set)
  expect(withLabelShare(set, 1e-6, 3).train.ids.length).toBe(1)
  const labels = set.train.labels.map((y, i) => (i < 380 ? Number.NaN : y))
  const rare = withLabelShare({ ...set, train: { ...set.train, labels } }, 0.5, 3)
  expect(rare.train.ids.length).toBe(5)
  for (const id of rare.train.ids) expect(set.train.ids.indexOf(id)).toBeGreaterThanOrEqual(190)
})
