import fc from 'fast-check'
import { expect, test } from 'vitest'
import { randomFromState, randomStream } from './random.ts'

test('a restored state continues with the same numbers', () => {
  fc.assert(
    fc.property(fc.integer(), fc.string(), fc.integer({ min: 0, max: 50 }), (seed, name, skipped) => {
      const random = randomStream(seed, name)
      for (let i = 0; i < skipped; i++) random.uniform()
      const copy = randomFromState(random.state())
      expect(Array.from({ length: 20 }, copy.uniform)).toEqual(Array.from({ length: 20 }, random.uniform))
    }),
  )
})

test('uniforms lie in the open interval with the mean and variance of U(0,1)', () => {
  const n = 100_000
  const values = Array.from({ length: n }, randomStream(7, 'moments').uniform)
  expect(Math.min(...values.slice(0, 1000))).toBeGreaterThan(0)
  expect(values.every((u) => u > 0 && u < 1)).toBe(true)
  const mean = values.reduce((sum, u) => sum + u, 0) / n
  // Five standard errors: sd of U(0,1) is 1/√12.
  expect(Math.abs(mean - 0.5)).toBeLessThan(5 / Math.sqrt(12 * n))
  const variance = values.reduce((sum, u) => sum + (u - mean) ** 2, 0) / n
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n))
})

test('normals have mean 0 and variance 1', () => {
  const n = 100_000
  const values = Array.from({ length: n }, randomStream(3, 'normal').normal)
  const mean = values.reduce((sum, z) => sum + z, 0) / n
  expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n))
  const variance = values.reduce((sum, z) => sum + z * z, 0) / n
  expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n))
})

test('streams of different names differ, equal ones agree, shuffles are permutations', () => {
  expect(randomStream(1, 'a').uniform()).not.toBe(randomStream(1, 'b').uniform())
  expect(randomStream(1, 'a').uniform()).toBe(randomStream(1, 'a').uniform())
  const shuffled = randomStream(5, 's').shuffle(Array.from({ length: 100 }, (_, i) => i))
  expect([...shuffled].sort((x, y) => x - y)).toEqual(Array.from({ length: 100 }, (_, i) => i))
})
