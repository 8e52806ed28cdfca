import { expect, test } from 'vitest'
import { differences } from './settings.ts'

test('every value that differs is named, with what it was and is', () => {
  const was = { seed: 1, model: { width: 64, layers: 3 }, strategy: { name: 'miam', kappa: 10 }, startFrom: null }
  expect(differences(was, structuredClone(was))).toEqual([])
  expect(
    differences(was, { seed: 2, model: { width: 128, layers: 3 }, strategy: { name: 'uniform' }, startFrom: null }),
  ).toEqual([
    'seed was 1, is 2',
    'model.width was 64, is 128',
    'strategy.name was "miam", is "uniform"',
    'strategy.kappa was 10, is undefined',
  ])
})
