import { expect, test } from 'vitest'
import { proxyScores } from './proxy.ts'

test('three modalities, by hand', () => {
  const alone = [
    [null, 0.4, 0.8],
    [1.2, null, 1.4],
    [0.5, 0.25, null],
  ]
  const without = [
    [0.3, null, null],
    [null, 0.2, null],
    [null, null, 0.7],
  ]
  const { single, all, selection } = proxyScores(alone, without)
  // 1 − (0.4 + 0.8)/2; worse than the mean: the floor; 1 − (0.5 + 0.25)/2.
  expect(single).toEqual([expect.closeTo(0.4, 12), 1e-3, expect.closeTo(0.625, 12)])
  expect(all).toBeCloseTo(1 - (0.3 + 0.2 + 0.7) / 3, 12)
  expect(selection).toBeCloseTo((0.4 + 1e-3 + 0.625) / 3, 12)
})

test('a modality that is nowhere to be predicted does not count', () => {
  const { single, all } = proxyScores(
    [
      [null, 0.4, null],
      [0.6, null, null],
      [0.9, 0.7, null],
    ],
    [
      [0.5, null, null],
      [null, 0.3, null],
      [null, null, null],
    ],
  )
  expect(single).toEqual([0.6, 0.4, expect.closeTo(0.2, 12)])
  expect(all).toBeCloseTo(0.6, 12)
})

test('nothing to predict from is the floor; a single modality needs no score', () => {
  expect(proxyScores([[null, null]], [[null, null]]).single).toEqual([1e-3])
  expect(proxyScores([[null]], [[0.9]])).toEqual({ single: [1], all: 1, selection: 1 })
})
