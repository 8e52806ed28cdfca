/** Whether masks drawn by the hash are as good as random ones, and are the same wherever they are drawn. */
import { describe, expect, test } from 'vitest'
import { bits, programOf, runOnRuntime } from '#test/support/graph-run.ts'
import { reshape } from '../graph/calls.ts'
import { hashed } from '../graph/hash.ts'
import { interpret } from '../graph/interpret.ts'
import { attentionMask, type Branch, type NoiseSeed, noiseKeys, rowMask } from './noise.ts'

const COLUMNS = 256

type Drawn = { readonly rate?: number; readonly layer?: number; readonly branch?: Branch; readonly seed?: NoiseSeed }

const SEED: NoiseSeed = { seed: 1, step: 0, observations: [0, 1, 2, 3, 4, 5, 6, 7] }
const PLACES = 64

/** Masks of eight observations with 64 rows each: [512 × 256], 1 = dropped. */
const draw = async ({ rate = 0.5, layer = 0, branch = 'feed-out', seed = SEED }: Drawn = {}): Promise<Float64Array> => {
  const counts = Array.from(seed.observations, () => PLACES)
  const { rows, places } = noiseKeys(seed, counts, PLACES)
  const operands = [
    bits([...new Uint32Array(rows.buffer)], [rows.length, 1]),
    bits([...new Uint32Array(places.buffer)]),
  ]
  const program = programOf(operands, ([keys, own]) => [
    rowMask({ rate, keys: keys!, places: own! }, keys!, COLUMNS, layer, branch),
  ])
  const feeds = { p0: operands[0]!.value, p1: operands[1]!.value }
  const { y0 } = await runOnRuntime(program, feeds, 2)
  expect(y0!.data).toEqual(interpret(program, feeds).y0!.data.map(Math.fround))
  return y0!.data.map((kept) => (kept === 0 ? 1 : 0))
}

/** Of the dropped of a with those of b, where all are dropped with that probability; its standard deviation is 1/√n. */
const correlation = (a: Float64Array, b: Float64Array, rate: number): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - rate) * (b[i]! - rate)
  return sum / (a.length * rate * (1 - rate))
}

/** Each number with the one so many places on. */
const shifted = (mask: Float64Array, by: number): readonly [Float64Array, Float64Array] => [
  mask.subarray(0, mask.length - by),
  mask.subarray(by),
]

/** Σ (n − expected)² / variance of counts, as a number of standard deviations from its mean. */
const excess = (counts: readonly number[], trials: number, rate: number): number => {
  const chi = counts.reduce((sum, n) => sum + (n - trials * rate) ** 2 / (trials * rate * (1 - rate)), 0)
  return (chi - counts.length) / Math.sqrt(2 * counts.length)
}

/** Standard deviations that chance may take. All is seeded: a test that passes once passes always. */
const MOST = 4

describe('masks', () => {
  test.each([0.1, 0.5, 0.9])('drop the share %f of all numbers, of each row and of each column', async (rate) => {
    const mask = await draw({ rate })
    const rows = mask.length / COLUMNS
    const total = mask.reduce((sum, x) => sum + x, 0)
    expect(Math.abs(total - mask.length * rate)).toBeLessThan(MOST * Math.sqrt(mask.length * rate * (1 - rate)))
    const perRow = Array.from({ length: rows }, (_, r) =>
      mask.subarray(r * COLUMNS, (r + 1) * COLUMNS).reduce((sum, x) => sum + x, 0),
    )
    const perColumn = Array.from({ length: COLUMNS }, (_, c) =>
      mask.reduce((sum, x, i) => sum + (i % COLUMNS === c ? x : 0), 0),
    )
    expect(Math.abs(excess(perRow, COLUMNS, rate))).toBeLessThan(MOST)
    expect(Math.abs(excess(perColumn, rows, rate))).toBeLessThan(MOST)
  })

  test.each([0.1, 0.5])(
    'at %f have no likeness between neighbours, rows, observations, steps, layers, branches and seeds',
    async (rate) => {
      const mask = await draw({ rate })
      const most = MOST / Math.sqrt(mask.length - PLACES * COLUMNS)
      for (const by of [1, 2, 3, 4, 8, 16, COLUMNS / 2, COLUMNS, 2 * COLUMNS, PLACES * COLUMNS]) {
        expect(Math.abs(correlation(...shifted(mask, by), rate)), `${by} on`).toBeLessThan(most)
      }
      const others: Readonly<Record<string, Drawn>> = {
        'next step': { seed: { ...SEED, step: 1 } },
        'step far off': { seed: { ...SEED, step: 2 ** 20 } },
        'next layer': { layer: 1 },
        'other branch': { branch: 'attention-out' },
        'next seed': { seed: { ...SEED, seed: 2 } },
        'large seed': { seed: { ...SEED, seed: 2 ** 40 + 1 } },
      }
      for (const [name, change] of Object.entries(others)) {
        const other = await draw({ rate, ...change })
        expect(Math.abs(correlation(mask, other, rate)), name).toBeLessThan(most)
      }
    },
  )

  test('have no pattern in rectangles, which a sum of row and column numbers would show', async () => {
    const mask = await draw()
    const sign = (r: number, c: number): number => 1 - 2 * mask[r * COLUMNS + c]!
    const rows = mask.length / COLUMNS
    for (const [dr, dc] of [
      [1, 1],
      [1, 128],
      [64, 1],
      [7, 32],
    ] as const) {
      let sum = 0
      let count = 0
      for (let r = 0; r + dr < rows; r++) {
        for (let c = 0; c + dc < COLUMNS; c++) {
          sum += sign(r, c) * sign(r + dr, c) * sign(r, c + dc) * sign(r + dr, c + dc)
          count++
        }
      }
      // Neighbouring rectangles share corners but are uncorrelated.
      expect(Math.abs(sum)).toBeLessThan(MOST * Math.sqrt(count))
    }
  })

  test('keep means: what is kept is divided by its probability', async () => {
    const keys = bits([7], [1, 1])
    const program = programOf([keys], ([key]) => [
      rowMask({ rate: 0.2, keys: key!, places: key! }, key!, 64, 0, 'feed-out'),
    ])
    const { y0 } = await runOnRuntime(program, { p0: keys.value })
    expect(new Set(y0!.data)).toEqual(new Set([0, 1.25]))
  })
})

describe('masks of attention', () => {
  const heads = 4
  const drawAttention = async (seed: NoiseSeed, places: number): Promise<Float64Array> => {
    const counts = Array.from(seed.observations, () => places)
    const keys = noiseKeys(seed, counts, places)
    const operands = [bits([...new Uint32Array(keys.rows.buffer)]), bits([...new Uint32Array(keys.places.buffer)])]
    const program = programOf(operands, ([rows, own]) => {
      const byRow = reshape(rows!, [counts.length, places, 1])
      return [attentionMask({ rate: 0.5, keys: byRow, places: own! }, byRow, heads, 1)]
    })
    const { y0 } = await runOnRuntime(program, { p0: operands[0]!.value, p1: operands[1]!.value })
    return y0!.data.map((kept) => (kept === 0 ? 1 : 0))
  }

  test('have no likeness between keys, queries, heads and observations', async () => {
    const places = 48
    const mask = await drawAttention(SEED, places)
    expect(mask.length).toBe(8 * heads * places * places)
    const most = MOST / Math.sqrt(mask.length - heads * places ** 2)
    const total = mask.reduce((sum, x) => sum + x, 0) / mask.length
    expect(Math.abs(total - 0.5)).toBeLessThan(most / 2)
    for (const by of [1, places, places + 1, places ** 2, heads * places ** 2]) {
      expect(Math.abs(correlation(...shifted(mask, by), 0.5)), `${by} on`).toBeLessThan(most)
    }
    // A query's mask of a key is not the key's mask of the query.
    const turned = mask.map((_, i) => {
      const [matrix, q, k] = [Math.floor(i / places ** 2), Math.floor(i / places) % places, i % places]
      return mask[matrix * places ** 2 + k * places + q]!
    })
    const diagonal = 1 / places
    expect(Math.abs(correlation(mask, turned, 0.5) - diagonal)).toBeLessThan(2 * most)
  })

  test('are those of the observation, whichever stand beside it and however long they are', async () => {
    const size = heads * 10 ** 2
    const all = await drawAttention({ ...SEED, observations: [5, 9, 2] }, 10)
    expect(await drawAttention({ ...SEED, observations: [9] }, 10)).toEqual(all.subarray(size, 2 * size))
    const longer = await drawAttention({ ...SEED, observations: [9] }, 12)
    for (let h = 0; h < heads; h++) {
      for (let q = 0; q < 10; q++) {
        const at = (h * 12 + q) * 12
        expect(longer.subarray(at, at + 10)).toEqual(
          all.subarray(size + (h * 10 + q) * 10, size + (h * 10 + q + 1) * 10),
        )
      }
    }
  })
})

test('keys of a step are all different, and the hash is a permutation that moves every bit', () => {
  const observations = Int32Array.from({ length: 500 }, (_, i) => i)
  const { rows } = noiseKeys({ ...SEED, observations }, new Array(500).fill(50), 50)
  // 25 000 of 2³² keys: 0.07 pairs are expected to meet by chance.
  expect(new Set(rows).size).toBeGreaterThanOrEqual(25_000 - 1)
  const seen = new Set(Array.from({ length: 50_000 }, (_, i) => hashed(i)))
  expect(seen.size).toBe(50_000)
  for (let bit = 0; bit < 32; bit++) {
    let changed = 0
    for (let i = 0; i < 1000; i++) {
      let difference = (hashed(i) ^ hashed(i ^ (1 << bit))) >>> 0
      for (; difference > 0; difference >>>= 1) changed += difference & 1
    }
    // Half of 32 bits, with a standard deviation of √8 / √1000.
    expect(Math.abs(changed / 1000 - 16)).toBeLessThan(0.5)
  }
})
