import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defaultModelConfig } from '../model/config.ts'
import { blockBytes } from '../model/inference-batches.ts'
import { deal, partSizes } from './split.ts'

const places = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 200 })
const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0)

test('dealing gives every observation once, equal counts, and tokens that differ by one observation at most', () => {
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 8 }), (lengths, hands) => {
      const dealt = deal(lengths, hands)
      expect(dealt.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i))
      const counts = dealt.map((hand) => hand.length)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      const tokens = dealt.map((hand) => sum(hand.map((i) => lengths[i]!)))
      expect(Math.max(...tokens) - Math.min(...tokens)).toBeLessThanOrEqual(Math.max(...lengths))
      for (const hand of dealt) {
        expect(hand.map((i) => lengths[i])).toEqual(hand.map((i) => lengths[i]!).sort((a, b) => b - a))
      }
    }),
  )
})

test('parts fill a share in order, each within the limit unless it is one observation', () => {
  const config = defaultModelConfig(3)
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 5_000_000 }), (lengths, limitBytes) => {
      const falling = [...lengths].sort((a, b) => b - a)
      const sizes = partSizes(config, falling, limitBytes)
      expect(sum(sizes)).toBe(falling.length)
      let first = 0
      for (const size of sizes) {
        const bytes = size * (config.layers + 1) * blockBytes(config, falling[first]!)
        expect(size === 1 || bytes <= limitBytes).toBe(true)
        first += size
      }
    }),
  )
  expect(partSizes(config, new Array<number>(64).fill(16), 2 ** 26)).toEqual([64])
  // Dropout keeps two masks of the width and one of each head's matrix for a block, and the products with them.
  const long = new Array<number>(20).fill(100)
  const bytes = 4 * (blockBytes(config, 100) + 4 * 100 * (2 * 64 + 2 * 8 * 100))
  expect(partSizes({ ...config, dropout: 0.1 }, long, 8 * bytes)).toEqual([8, 8, 4])
  expect(partSizes(config, long, 8 * bytes)[0]).toBeGreaterThan(8)
})
