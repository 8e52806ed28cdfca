import { expect, test } from 'vitest'
import { columnTitle, sideOf, signedPoints } from './results.ts'

test('a column of everything but one modality says which', () => {
  const modalities = ['climate', 'soil', 'cover', 'place']
  const check = (name: string, title: string) => expect(columnTitle(name, modalities)).toBe(title)
  check('climate+cover+place', 'all but soil')
  check('climate+soil', 'climate+soil')
  check('climate', 'climate')
  check('all', 'all')
  check('climate.a+climate.b+soil.c', 'climate.a+climate.b+soil.c')
  check('climate+soil+cover.x', 'climate+soil+cover.x')
  // Two of three are a pair.
  expect(columnTitle('a+b', ['a', 'b', 'c'])).toBe('a+b')
})

test('differences are told in points with their sign, and an arrow only where the interval leaves 0 out', () => {
  expect([0.0041, -0.0749, 0.0004, -0.0004].map(signedPoints)).toEqual(['+0.4', '−7.5', '0.0', '0.0'])
  const ends = [
    [0.1, 0.2],
    [-0.2, -0.1],
    [-0.1, 0.1],
    [0, 0.1],
  ] as const
  expect(ends.map(([low, high]) => sideOf({ low, high }))).toEqual([1, -1, 0, 0])
})
