import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { packTokens } from '#shared/tokens/batch.ts'
import { drawBatch, smallConfig, smallLayout } from '#test/support/small-model.ts'
import { packTrainingBatch } from './training-batch.ts'

const layout = smallLayout()
const slots = layout.slots.length

const batches = fc.record({
  seed: fc.integer(),
  count: fc.integer({ min: 1, max: 9 }),
  hiddenShare: fc.constantFrom(0, 0.3, 0.7, 1),
})

const draw = ({ seed, count, hiddenShare }: { seed: number; count: number; hiddenShare: number }) =>
  drawBatch(randomStream(seed, 'batch'), layout, 4, count, hiddenShare)

/** By block, in table order: one entry for each place of the table after its special row. */
const inverseOf = (feeds: ReturnType<typeof packTrainingBatch>): number[] =>
  layout.blocks.flatMap(({ name }) => [...feeds[`inverse.${name}`]!.data])

describe('indices of a packed batch', () => {
  test('drop: each undoes the other, rows lie observation by observation with CLS first', () => {
    fc.assert(
      fc.property(batches, (options) => {
        const batch = draw(options)
        const feeds = packTrainingBatch(smallConfig(), layout, batch)
        const { assemble, slot, padIndex, unpadIndex, hidden, clsRow, clsInverse } = feeds
        const total = assemble!.data.length
        const places = padIndex!.shape[1]!
        const seen = batch.rows.map((row) => [...row.hidden.keys()].filter((s) => row.hidden[s] === 0))
        expect(total).toBe(seen.reduce((n, visible) => n + visible.length + 1, 0))
        expect(places).toBe(Math.max(...seen.map((visible) => visible.length + 1)))
        expect([...slot!.data]).toEqual(seen.flatMap((visible) => [slots, ...visible]))
        expect(hidden!.data.filter((x) => x === 0)).toHaveLength(total)
        for (let n = 0; n < total; n++) {
          expect(padIndex!.data[unpadIndex!.data[n]!]).toBe(n)
          expect(hidden!.data[unpadIndex!.data[n]!]).toBe(0)
        }
        for (const [b, row] of clsRow!.data.entries()) {
          expect([slot!.data[row], assemble!.data[row], clsInverse!.data[row]]).toEqual([slots, 0, b])
          expect(padIndex!.data[b * places]).toBe(row)
        }
        expect(clsInverse!.data.filter((b) => b < batch.rows.length)).toHaveLength(batch.rows.length)
        const inverse = inverseOf(feeds)
        for (const [row, place] of assemble!.data.entries()) if (place > 0) expect(inverse[place - 1]).toBe(row)
        expect(inverse.filter((row) => row < total)).toHaveLength(total - batch.rows.length)
      }),
    )
  })

  test('replace: every slot has its row, and hidden ones point at the mask', () => {
    fc.assert(
      fc.property(batches, (options) => {
        const batch = draw(options)
        const feeds = packTrainingBatch(smallConfig({ mode: 'replace' }), layout, batch)
        const { assemble, hidden } = feeds
        expect(assemble!.shape).toEqual([batch.rows.length, slots])
        expect([...hidden!.data]).toEqual(batch.rows.flatMap((row) => [...row.hidden]))
        const inverse = inverseOf(feeds)
        for (const [place, row] of assemble!.data.entries()) {
          expect(row === 0).toBe(hidden!.data[place] === 1)
          if (row > 0) expect(inverse[row - 1]).toBe(place)
        }
        expect(inverse.filter((place) => place < assemble!.data.length)).toHaveLength(
          hidden!.data.filter((x) => x === 0).length,
        )
      }),
    )
  })

  test('the table holds the features of each visible token, and zeros else', () => {
    fc.assert(
      fc.property(batches, (options) => {
        const { rows } = draw(options)
        const packed = packTokens(layout, rows)
        const used = new Set(packed.tableRow)
        for (const [i, { name, features, groups }] of layout.blocks.entries()) {
          const { data } = packed.feeds[`x.${name}`]!
          for (let r = 0; r < groups * packed.groupRows[i]!; r++) {
            const row = data.subarray(r * features, (r + 1) * features)
            if (!used.has(packed.blockStart[i]! + r)) expect(row.every((x) => x === 0)).toBe(true)
          }
        }
        for (const [b, { features }] of rows.entries()) {
          for (let n = packed.starts[b]!; n < packed.starts[b + 1]!; n++) {
            const { block, group, offset } = layout.slots[packed.slot[n]!]!
            const size = layout.blocks[block]!.features
            const row = packed.tableRow[n]! - packed.blockStart[block]!
            expect(Math.floor(row / packed.groupRows[block]!)).toBe(group)
            const { data } = packed.feeds[`x.${layout.blocks[block]!.name}`]!
            expect(data.subarray(row * size, (row + 1) * size)).toEqual(features.subarray(offset, offset + size))
          }
        }
      }),
    )
  })
})

test('labels become weights of the two terms; an unknown one has none', () => {
  const batch = {
    ...draw({ seed: 1, count: 2, hiddenShare: 0.5 }),
    labels: Float32Array.of(1, 0, Number.NaN, 0, 0, 1, 1, 0.25),
    positiveWeight: Float32Array.of(2, 3, 4, 8),
    negativeWeight: Float32Array.of(1, 0.5, 5, 4),
  }
  const { positive, negative } = packTrainingBatch(smallConfig(), layout, batch)
  expect([...positive!.data]).toEqual([2, 0, 0, 0, 0, 3, 4, 2])
  expect([...negative!.data]).toEqual([0, 0.5, 0, 4, 1, 0, 0, 3])
  expect(positive!.shape).toEqual([2, 4])
})

test('a batch that does not fit its model is refused', () => {
  const batch = draw({ seed: 2, count: 2, hiddenShare: 0.5 })
  const pack = (changes: Partial<typeof batch>) => packTrainingBatch(smallConfig(), layout, { ...batch, ...changes })
  expect(() => pack({ rows: [] })).toThrow('a batch has observations')
  expect(() => pack({ labels: new Float32Array(7) })).toThrow('labels fill the batch')
  expect(() => pack({ positiveWeight: new Float32Array(3) })).toThrow('each label has its weights')
  const short = { features: new Float32Array(3), hidden: new Uint8Array(slots) }
  expect(() => pack({ rows: [short, short] })).toThrow('fits its layout')
})
