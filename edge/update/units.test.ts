import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyBitmap, hasUnit, missingUnits, nextWindow, rangesOf, setUnit, unitCount, unitLength } from './units.ts'

test('units cover a file exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 256, max: 65536 }), (length, unitBytes) => {
      const lengths = Array.from({ length: unitCount(length, unitBytes) }, (_, i) => unitLength(length, unitBytes, i))
      expect(lengths.reduce((sum, n) => sum + n, 0)).toBe(length)
      expect(Math.min(...lengths)).toBeGreaterThan(0)
      expect(Math.max(...lengths)).toBeLessThanOrEqual(unitBytes)
    }),
  )
})

test('a bitmap remembers what was set, and what is missing is the rest', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (set) => {
      const bitmap = emptyBitmap(201)
      for (const unit of set) setUnit(bitmap, unit)
      const all = Array.from({ length: 201 }, (_, unit) => unit)
      expect(all.filter((unit) => hasUnit(bitmap, unit))).toEqual(set.toSorted((a, b) => a - b))
      expect(missingUnits(bitmap, 201)).toEqual(all.filter((unit) => !set.includes(unit)))
    }),
  )
})

test('ranges say the same units, up to the number of ranges allowed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(300)), (list) => {
      const units = list.toSorted((a, b) => a - b)
      const spelled = rangesOf(units, 20).flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
      )
      expect(spelled).toEqual(units.slice(0, spelled.length))
      expect(rangesOf(units, 1000).flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i))).toEqual(
        units,
      )
    }),
  )
  expect(rangesOf([1, 2, 3, 7, 9, 10], 2)).toEqual([
    [1, 3],
    [7, 7],
  ])
})

test('the window halves after a silence, grows after a full answer, and stays within 1 and 64', () => {
  expect([8, 64, 1, 3].map((window) => nextWindow(window, 'complete'))).toEqual([10, 64, 3, 5])
  expect([8, 64, 1, 3].map((window) => nextWindow(window, 'silent'))).toEqual([4, 32, 1, 1])
})
