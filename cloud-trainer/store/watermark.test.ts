import fc from 'fast-check'
import { expect, test } from 'vitest'
import { limitRanges, type Received, receivedOf, withRows } from './watermark.ts'

/** Slow and obvious: looks at each number by itself. */
const oracle = (upTo: number, above: ReadonlySet<number>): Received => {
  let mark = upTo
  while (above.has(mark + 1)) mark++
  const ranges: [number, number][] = []
  for (const seq of [...above].filter((s) => s > mark).sort((a, b) => a - b)) {
    if (above.has(seq - 1)) ranges[ranges.length - 1]![1] = seq
    else ranges.push([seq, seq])
  }
  return { upTo: mark, ranges }
}

test('the watermark and ranges are those of the slow version', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (upTo, offsets) => {
      const above = offsets.map((offset) => upTo + offset).sort((a, b) => a - b)
      expect(receivedOf(upTo, above)).toEqual(oracle(upTo, new Set(above)))
    }),
  )
})

test('rows in any order and grouping reach the same end, and the watermark never falls', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 })), fc.array(fc.nat(5)), (seqs, cuts) => {
      const stored = new Set<number>()
      let upTo = 0
      for (let i = 0, c = 0; i < seqs.length; c++) {
        for (const end = i + 1 + (cuts[c] ?? 0); i < end && i < seqs.length; i++) stored.add(seqs[i]!)
        const above = [...stored].filter((seq) => seq > upTo).sort((a, b) => a - b)
        const next = receivedOf(upTo, above).upTo
        expect(next).toBeGreaterThanOrEqual(upTo)
        upTo = next
      }
      expect(upTo).toBe(oracle(0, stored).upTo)
    }),
  )
})

test('rows that come later join what is there as if they had been there', () => {
  const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 60 }))
  fc.assert(
    fc.property(fc.nat(20), seqs, seqs, (upTo, first, later) => {
      const above = first.map((offset) => upTo + offset)
      const before = receivedOf(
        upTo,
        above.toSorted((a, b) => a - b),
      )
      expect(withRows(before, later)).toEqual(oracle(upTo, new Set([...above, ...later])))
    }),
  )
})

test('a receipt never names a row that is not stored, however it is limited', () => {
  const received = receivedOf(2, [3, 5, 6, 9, 11])
  expect(received).toEqual({
    upTo: 3,
    ranges: [
      [5, 6],
      [9, 9],
      [11, 11],
    ],
  })
  expect(limitRanges(received, 2)).toEqual({
    upTo: 3,
    ranges: [
      [5, 6],
      [9, 9],
    ],
  })
})
