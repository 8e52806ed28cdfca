import fc from 'fast-check'
import { expect, test } from 'vitest'
import { extent, linearScale, logScale } from './scale.ts'

test('ticks are round and lie within', () => {
  const scale = linearScale([61.2, 84.9], [0, 100])
  expect(scale.ticks.map(scale.label)).toEqual(['65', '70', '75', '80'])
  const small = linearScale([-0.04, 0.05], [0, 100])
  expect(small.ticks.map(small.label)).toEqual(['−0.04', '−0.02', '0.00', '0.02', '0.04'])
  const wide = logScale([0.001, 1000], [0, 100])
  expect(wide.ticks.map(wide.label)).toEqual(['0.001', '0.01', '0.1', '1', '10', '100', '1000'])
  const narrow = logScale([0.9, 1.25], [0, 100])
  expect(narrow.ticks.map(narrow.label)).toEqual(['0.9', '1.0', '1.1', '1.2'])
})

test('ends come to the ends, and the order is kept', () => {
  const ends = fc
    .tuple(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: 1.001, max: 1e4, noNaN: true }))
    .map(([from, factor]) => [from, from * factor] as const)
  fc.assert(
    fc.property(ends, fc.constantFrom(linearScale, logScale), (domain, scaleOf) => {
      const scale = scaleOf(domain, [10, 200])
      expect(scale.at(domain[0])).toBeCloseTo(10, 6)
      expect(scale.at(domain[1])).toBeCloseTo(200, 6)
      expect(scale.ticks.length).toBeLessThan(26)
      const places = scale.ticks.map(scale.at)
      expect(places.every((at, i) => at > 10 - 1e-6 && at < 200 + 1e-6 && (i === 0 || at > places[i - 1]!))).toBe(true)
    }),
  )
})

test('an extent is never empty', () => {
  expect(extent([])).toEqual([0, 1])
  expect(extent([Number.NaN, 3])).toEqual([2.5, 3.5])
  expect(extent([3, Number.POSITIVE_INFINITY, 1])).toEqual([1, 3])
})
