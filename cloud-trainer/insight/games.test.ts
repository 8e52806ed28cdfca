import { describe, expect, test } from 'vitest'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { TokenRows } from '../model/token-rows.ts'
import { difference, estimateOf, logitsOfMasks, metricOfMasks } from './games.ts'
import { hiddenSlots, modalityPlayers, partPlayers, tokenPlayers } from './players.ts'

/** Slots by name; the modality is what stands before the first dot or bracket. */
const layoutNamed = (...names: readonly string[]): TokenLayout => {
  const modalityOf = (name: string): string => /^[^.[]*/.exec(name)![0]
  const modalities = [...new Set(names.map(modalityOf))]
  return {
    modalities,
    blocks: [{ name: 'all', encoding: 'linear', groups: names.length, features: 1 }],
    slots: names.map((name, group) => ({
      name,
      modality: modalities.indexOf(modalityOf(name)),
      block: 0,
      group,
      offset: 0,
    })),
    featureCount: 1,
  }
}

const row = (...hidden: readonly number[]): TokenSet => ({
  features: new Float32Array(1),
  hidden: Uint8Array.from(hidden),
})

const mask = (...hidden: readonly number[]): Uint8Array => Uint8Array.from(hidden)

describe('what is shown and hidden as one', () => {
  const layout = layoutNamed(
    'sat.red[0,0]',
    'sat.red[0,1]',
    'sat.nir[0,0]',
    'sat.nir[0,1]',
    'cam[0,0]',
    'cam[0,1]',
    'w.t',
  )

  test('modalities, parts of one, single tokens', () => {
    expect(modalityPlayers(layout)).toEqual([
      { name: 'sat', slots: [0, 1, 2, 3] },
      { name: 'cam', slots: [4, 5] },
      { name: 'w', slots: [6] },
    ])
    expect(partPlayers(layout, 0)).toEqual([
      { name: 'sat.red', slots: [0, 1] },
      { name: 'sat.nir', slots: [2, 3] },
    ])
    expect(partPlayers(layout, 1)).toEqual([{ name: 'cam', slots: [4, 5] }])
    expect(tokenPlayers(layout, mask(1, 1, 0, 1, 1, 1, 0))).toEqual([
      { name: 'sat.nir[0,0]', slots: [2] },
      { name: 'w.t', slots: [6] },
    ])
  })

  test('all that no visible player has is hidden', () => {
    const [sat, cam] = modalityPlayers(layout)
    expect(hiddenSlots(layout, [sat!, cam!], mask(1, 0)).join('')).toBe('1111001')
    expect(hiddenSlots(layout, [sat!, cam!], mask(0, 0)).join('')).toBe('0000001')
    expect(() => hiddenSlots(layout, [sat!], mask(0, 0))).toThrow('every player')
  })
})

describe('metric by mask', () => {
  const rows = [row(0, 0), row(0, 1), row(1, 1), row(1, 0)]
  /** Number of visible tokens plus a trifle that depends on the place in the batch. */
  const predict = async (asked: TokenRows) =>
    [...asked].flatMap(({ hidden }, i) => {
      const shown = hidden.filter((bit) => bit === 0).length
      return [shown + i * 1e-9, -shown - i * 1e-9]
    })

  test('hides by observation, keeps what is missing, and answers rows without a token once', async () => {
    const asked: string[][] = []
    const logits: number[][] = []
    const values = metricOfMasks({
      rows,
      predict: async (some) => {
        asked.push(Array.from(some, ({ hidden }) => hidden.join('')))
        return predict(some)
      },
      score: (given) => {
        logits.push(Array.from(given))
        return { value: Math.max(...Array.from(given)), resamples: [0.25, 0.75] }
      },
    })
    const found = await values([mask(0, 0), mask(0, 1), mask(1, 1)])
    expect(asked).toEqual([['00', '01', '11', '10'], ['01', '01', '11'], ['11']])
    // The third and fourth observation show nothing under the second mask: their answers are the same bits.
    expect(logits[1]!.slice(4, 6)).toEqual(logits[1]!.slice(6, 8))
    expect(new Set(logits[2]!.filter((_, i) => i % 2 === 0)).size).toBe(1)
    expect(logits[1]!.length).toBe(8)
    expect(found.map((one) => Array.from(one).slice(1))).toEqual([
      [0.25, 0.75],
      [0.25, 0.75],
      [0.25, 0.75],
    ])
  })

  test('measures a mask once', async () => {
    let calls = 0
    const counts: number[] = []
    const values = metricOfMasks({
      rows,
      predict,
      score: () => ({ value: ++calls, resamples: [] }),
      onMask: (measured) => counts.push(measured),
    })
    const first = await values([mask(0, 1), mask(0, 0), mask(0, 1)])
    expect(first.map((one) => one[0])).toEqual([1, 2, 1])
    expect((await values([mask(0, 0), mask(1, 0)])).map((one) => one[0])).toEqual([2, 3])
    expect(counts).toEqual([1, 2, 3])
  })

  test('stops between masks when told to', async () => {
    const stop = new AbortController()
    const values = metricOfMasks({
      rows,
      predict,
      score: () => {
        stop.abort(new Error('enough'))
        return { value: 0, resamples: [] }
      },
      signal: stop.signal,
    })
    await expect(values([mask(0, 0), mask(0, 1)])).rejects.toThrow('enough')
  })
})

test('logits by mask are those of the labels asked for, in whatever number of masks', async () => {
  const sizes: number[] = []
  const values = logitsOfMasks({
    row: row(0, 0, 1),
    labels: [2, 0],
    predict: async (rows) => {
      sizes.push(rows.length)
      return [...rows].flatMap(({ hidden }) => [hidden[0]!, 9, 10 * hidden[1]! + hidden[2]!])
    },
  })
  const masks = Array.from({ length: 1500 }, (_, i) => mask(i % 2, (i >> 1) % 2, 0))
  const found = await values(masks)
  expect(sizes).toEqual([1024, 476])
  expect(found.slice(0, 4).map((one) => Array.from(one))).toEqual([
    [1, 0],
    [1, 1],
    [11, 0],
    [11, 1],
  ])
  expect(Array.from(found[1499]!)).toEqual([11, 1])
})

test('an estimate is a value with the percentiles of its resamples', () => {
  expect(estimateOf([0.5])).toEqual({ value: 0.5, low: 0.5, high: 0.5 })
  const resamples = Array.from({ length: 201 }, (_, i) => i)
  expect(estimateOf([100, ...resamples])).toEqual({ value: 100, low: 5, high: 195 })
  expect([...difference([3, 5], [1, 7])]).toEqual([2, -2])
})
