import { expect, test } from 'vitest'
import { drift, refusalRates, type World } from './rates.ts'

const world: World = { observations: 200, alike: 0.8, tolerance: 0.02, resamples: 100 }

test('models that are as good are let pass, one that is much worse on one of eight subsets is not', () => {
  const same = refusalRates(world, 0, 25, 1)
  expect(same.gate).toBeLessThanOrEqual(0.08)
  // What the gate would do without looking at chance.
  expect(same.point).toBeGreaterThan(0.2)
  const worse = refusalRates(world, 0.1, 15, 2)
  expect(worse.gate).toBeGreaterThan(0.85)
  expect(worse.mean).toBeLessThan(0.35)
})

test('small losses do not add up where new models are held to a reference', () => {
  const chains = (hasReference: boolean) => drift(world, 0.018, 3, { hasReference, seed: 1 })
  const [held, free] = [chains(true), chains(false)]
  expect(held.lost).toBeLessThan(free.lost - 0.03)
  expect(held.refused).toBeGreaterThan(free.refused)
})
