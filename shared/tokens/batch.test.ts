import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packInferenceBatch, packTokens, placeCount, type TensorFeed } from './batch.ts'
import type { TokenLayout, TokenSet } from './layout.ts'

const arbitraryLayout: fc.Arbitrary<TokenLayout> = fc
  .array(fc.record({ groups: fc.integer({ min: 1, max: 3 }), features: fc.integer({ min: 1, max: 4 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  .chain((blocks) =>
    fc
      .array(fc.record({ block: fc.nat(blocks.length - 1), group: fc.nat(11) }), { minLength: 1, maxLength: 10 })
      .map((drafts) => {
        let featureCount = 0
        const slots = drafts.map(({ block, group }, i) => {
          const offset = featureCount
          featureCount += blocks[block]!.features
          return { name: `s${i}`, modality: 0, block, group: group % blocks[block]!.groups, offset }
        })
        const named = blocks.map((block, i) => ({ name: `b${i}`, encoding: 'linear' as const, ...block }))
        return { modalities: ['m'], blocks: named, slots, featureCount }
      }),
  )

/** Features that name their observation and place; those of hidden tokens are NaN, which must never be read. */
const tokenSet = ({ slots, blocks, featureCount }: TokenLayout, b: number, hidden: readonly boolean[]): TokenSet => {
  const features = Float32Array.from({ length: featureCount }, (_, i) => 1000 * (b + 1) + i)
  for (const [s, { offset, block }] of slots.entries()) {
    if (hidden[s]) features.fill(Number.NaN, offset, offset + blocks[block]!.features)
  }
  return { features, hidden: Uint8Array.from(slots, (_, s) => (hidden[s] ? 1 : 0)) }
}

const arbitraryBatch = arbitraryLayout.chain((layout) => {
  const { length } = layout.slots
  return fc
    .array(fc.array(fc.boolean(), { minLength: length, maxLength: length }), { maxLength: 5 })
    .map((masks) => ({ layout, rows: masks.map((hidden, b) => tokenSet(layout, b, hidden)) }))
})

/** Row of the table that the feeds of all blocks make under one special row. */
const tableOf = ({ blocks }: TokenLayout, feeds: Readonly<Record<string, TensorFeed>>): number[][] => {
  const table: number[][] = [[]]
  for (const { name, groups, features } of blocks) {
    const { data, shape } = feeds[`x.${name}`]!
    expect([shape[0], shape[2]]).toEqual([groups, features])
    expect(data.length).toBe(shape.reduce((product, n) => product * n, 1))
    for (let at = 0; at < data.length; at += features) table.push(Array.from(data.subarray(at, at + features)))
  }
  return table
}

const featuresOf = (layout: TokenLayout, row: TokenSet, slot: number): number[] => {
  const { offset, block } = layout.slots[slot]!
  return Array.from(row.features.subarray(offset, offset + layout.blocks[block]!.features))
}

const visibleSlots = ({ hidden }: TokenSet): number[] => Array.from(hidden.keys()).filter((slot) => hidden[slot] === 0)

test('each visible token is found at its row, in its group; every other row is zero', () => {
  fc.assert(
    fc.property(arbitraryBatch, ({ layout, rows }) => {
      const packed = packTokens(layout, rows)
      const table = tableOf(layout, packed.feeds)
      expect(packed.tableRows).toBe(table.length)
      const used = new Set<number>()
      for (const [b, row] of rows.entries()) {
        const [from, to] = [packed.starts[b]!, packed.starts[b + 1]!]
        expect(Array.from(packed.slot.subarray(from, to))).toEqual(visibleSlots(row))
        for (let n = from; n < to; n++) {
          const at = packed.tableRow[n]!
          const { block, group } = layout.slots[packed.slot[n]!]!
          expect(table[at]).toEqual(featuresOf(layout, row, packed.slot[n]!))
          expect(Math.floor((at - packed.blockStart[block]!) / packed.groupRows[block]!)).toBe(group)
          used.add(at)
        }
      }
      expect(used.size).toBe(packed.slot.length)
      expect(table.every((values, at) => used.has(at) || values.every((x) => x === 0))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('no group of the table is longer than its fullest needs', () => {
  fc.assert(
    fc.property(arbitraryBatch, ({ layout, rows }) => {
      const { groupRows } = packTokens(layout, rows)
      for (const [b, { groups }] of layout.blocks.entries()) {
        const counts = Array.from({ length: groups }, (_, group) =>
          rows.flatMap(visibleSlots).filter((s) => layout.slots[s]!.block === b && layout.slots[s]!.group === group),
        )
        expect(groupRows[b]).toBe(Math.max(1, ...counts.map(({ length }) => length)))
      }
    }),
  )
})

test('drop: a CLS token, the visible tokens in slot order, then padding', () => {
  fc.assert(
    fc.property(arbitraryBatch, ({ layout, rows }) => {
      const feeds = packInferenceBatch(layout, 'drop', rows)
      const table = tableOf(layout, feeds)
      const places = placeCount(packTokens(layout, rows).starts)
      expect(places).toBe(1 + Math.max(0, ...rows.map((row) => visibleSlots(row).length)))
      for (const name of ['assemble', 'slot', 'hidden']) expect(feeds[name]!.shape).toEqual([rows.length, places])
      for (const [b, row] of rows.entries()) {
        const at = (name: string) => Array.from(feeds[name]!.data.subarray(b * places, (b + 1) * places))
        const visible = visibleSlots(row)
        const padding = Array.from({ length: places - 1 - visible.length })
        const none = layout.slots.length
        expect(at('slot')).toEqual([none, ...visible, ...padding.map(() => none)])
        expect(at('hidden')).toEqual([0, ...visible.map(() => 0), ...padding.map(() => 1)])
        const contents = at('assemble').map((tableRow) => table[tableRow])
        expect(contents).toEqual([[], ...visible.map((s) => featuresOf(layout, row, s)), ...padding.map(() => [])])
      }
    }),
    { numRuns: 200 },
  )
})

test('replace: a place for each slot, hidden ones at the special row', () => {
  fc.assert(
    fc.property(arbitraryBatch, ({ layout, rows }) => {
      const feeds = packInferenceBatch(layout, 'replace', rows)
      const table = tableOf(layout, feeds)
      const { data, shape } = feeds.assemble!
      expect(shape).toEqual([rows.length, layout.slots.length])
      const contents = Array.from(data, (tableRow) => table[tableRow])
      const expected = rows.flatMap((row) =>
        Array.from(row.hidden, (hidden, s) => (hidden === 0 ? featuresOf(layout, row, s) : [])),
      )
      expect(contents).toEqual(expected)
      expect(Object.keys(feeds)).toEqual([...layout.blocks.map(({ name }) => `x.${name}`), 'assemble'])
    }),
    { numRuns: 200 },
  )
})

test('what hidden tokens hold changes no bit of the feeds', () => {
  fc.assert(
    fc.property(arbitraryBatch, fc.constantFrom('drop' as const, 'replace' as const), ({ layout, rows }, mode) => {
      const zeroed = rows.map(({ features, hidden }) => ({
        features: features.map((x) => (Number.isNaN(x) ? 0 : x)),
        hidden,
      }))
      expect(packInferenceBatch(layout, mode, zeroed)).toEqual(packInferenceBatch(layout, mode, rows))
    }),
  )
})

test('a token set of another layout is refused', () => {
  const layout: TokenLayout = {
    modalities: ['m'],
    blocks: [{ name: 'b', encoding: 'linear', groups: 1, features: 2 }],
    slots: [{ name: 's', modality: 0, block: 0, group: 0, offset: 0 }],
    featureCount: 2,
  }
  const short = { features: new Float32Array(1), hidden: new Uint8Array(1) }
  expect(() => packTokens(layout, [short])).toThrow('a token set fits its layout')
})
