import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openNumberRows } from './number-rows.ts'

let scratch: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'number-rows-'))
})
afterAll(() => rm(scratch, { recursive: true }))

test('rows on disk are those in memory, whatever is read when', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 120 }),
      fc.array(fc.nat(10_000), { maxLength: 20 }),
      (width, rows, asked) => {
        const kept = openNumberRows(Float64Array, { width, scratch: null })
        const spilled = openNumberRows(Float64Array, { width, scratch, memoryBytes: 100_000 })
        for (let i = 0; i < rows * width; i++) {
          for (const numbers of [kept, spilled]) numbers.push(i % 7 === 3 ? Number.NaN : i / 3)
          // Read while it grows, as tables do that compare a row with an earlier one.
          if (i % 5001 === 5000) expect(spilled.at(0, 0)).toBe(0)
        }
        for (const [row, column] of asked.map((n) => [n % (rows + 2), n % width] as const)) {
          const i = row * width + column
          const expected = row >= rows ? undefined : i % 7 === 3 ? Number.NaN : i / 3
          expect(spilled.at(row, column)).toBe(expected)
          expect(kept.at(row, column)).toBe(expected)
        }
        expect(spilled.at(-1, 0)).toBeUndefined()
      },
    ),
    { numRuns: 40 },
  )
})

test('nothing of it is left in the folder', async () => {
  const numbers = openNumberRows(Float32Array, { width: 4, scratch, memoryBytes: 0 })
  for (let i = 0; i < 100_000; i++) numbers.push(i)
  expect(await readdir(scratch)).toEqual([])
  expect(numbers.at(20_000, 3)).toBe(80_003)
})
