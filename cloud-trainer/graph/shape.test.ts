import fc from 'fast-check'
import { expect, test } from 'vitest'
import { broadcastShapes, type Dim, product, quotient, ShapeError } from './shape.ts'

const dims = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom<Dim>('B', 'K', 'N', 'B*K', '2*B'))

test('equal sizes have equal spellings', () => {
  expect(product([8, 'K', 'B'])).toBe('8*B*K')
  expect(product(['B*K', 2, 4])).toBe('8*B*K')
  expect(product([1, 'N'])).toBe('N')
  fc.assert(
    fc.property(fc.array(dims, { maxLength: 4 }), fc.array(dims, { maxLength: 4 }), (a, b) => {
      expect(product([product(a), product(b)])).toBe(product([...b, ...a]))
      expect(quotient(product([...a, ...b]), product(b))).toBe(product(a))
    }),
  )
})

test('what does not divide has no quotient', () => {
  expect(quotient('8*B*K', '3')).toBe(null)
  expect(quotient('8*B', 'K')).toBe(null)
  expect(quotient('B', 'B*B')).toBe(null)
})

test('only 1 stretches: a symbol may turn out to be anything', () => {
  expect(broadcastShapes(['B', 1, 3], ['K', 3])).toEqual(['B', 'K', 3])
  expect(broadcastShapes([], ['N', 2])).toEqual(['N', 2])
  for (const [a, b] of [
    ['N', 'M'],
    ['N', 2],
    [2, 3],
  ] as const) {
    expect(() => broadcastShapes([a], [b])).toThrow(ShapeError)
  }
})
