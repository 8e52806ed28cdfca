import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { allCoalitions, type Coalition, drawOrders, sampledShapley, shapley, shapleyValues } from './shapley.ts'

const visible = (coalition: Coalition): readonly number[] =>
  [...coalition].flatMap((hidden, player) => (hidden === 0 ? [player] : []))

/** Mean marginal contribution over all orders, by its definition. */
const byOrders = (players: number, worth: (members: readonly number[]) => number): readonly number[] => {
  const sums = new Array<number>(players).fill(0)
  let orders = 0
  const join = (members: readonly number[]): void => {
    if (members.length === players) {
      orders++
      for (const [at, player] of members.entries()) {
        sums[player]! += worth(members.slice(0, at + 1)) - worth(members.slice(0, at))
      }
    }
    for (let player = 0; player < players; player++) if (!members.includes(player)) join([...members, player])
  }
  join([])
  return sums.map((sum) => sum / orders)
}

const bitmask = (members: readonly number[]): number => members.reduce((mask, player) => mask | (1 << player), 0)

const gameSizes = fc.integer({ min: 1, max: 5 })
const games = gameSizes.chain((players) =>
  fc.record({
    players: fc.constant(players),
    values: fc.array(fc.double({ min: -10, max: 10, noNaN: true }), {
      minLength: 2 ** players,
      maxLength: 2 ** players,
    }),
  }),
)

/** Of a game with one value. */
const exact = (players: number, values: readonly number[]): readonly number[] =>
  shapleyValues(
    players,
    values.map((value) => [value]),
  ).map(([phi]) => phi!)

describe('exact Shapley values', () => {
  test("are those of the paper's row of GeoPlant: tabular, series, satellite", () => {
    // AUC % by visible modalities; bit 0 tabular, bit 1 series, bit 2 satellite.
    const found = exact(3, [50, 89.0, 91.4, 91.7, 80.1, 89.5, 91.5, 91.7])
    expect(found.map((phi) => phi.toFixed(4))).toEqual(['14.6833', '16.8833', '10.1333'])
    expect(found.reduce((sum, phi) => sum + phi, 0)).toBeCloseTo(41.7, 10)
  })

  test('are the means over all orders, and share what the whole has over nothing', () =>
    fc.assert(
      fc.property(games, ({ players, values }) => {
        const found = exact(players, values)
        const expected = byOrders(players, (members) => values[bitmask(members)]!)
        for (const [player, phi] of found.entries()) expect(phi).toBeCloseTo(expected[player]!, 9)
        const sum = found.reduce((total, phi) => total + phi, 0)
        expect(sum).toBeCloseTo(values.at(-1)! - values[0]!, 9)
      }),
      { numRuns: 60 },
    ))

  test('are equal for players that do the same, and 0 for one that does nothing', () =>
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 12, maxLength: 12 }),
        (ofOthers) => {
          // Players 0 and 1 count by how many of them are there; player 4 is a dummy.
          const worth = (mask: number): number => {
            const pair = (mask & 1) + ((mask >> 1) & 1)
            return ofOthers[3 * ((mask >> 2) & 3) + pair]!
          }
          const found = exact(
            5,
            Array.from({ length: 32 }, (_, mask) => worth(mask)),
          )
          expect(found[0]).toBeCloseTo(found[1]!, 10)
          expect(found[4]).toBeCloseTo(0, 12)
        },
      ),
    ))

  test('treat the values of a game side by side', () => {
    const values = Array.from({ length: 8 }, (_, mask) => [mask, mask === 7 ? 6 : 0])
    expect(shapleyValues(3, values).map((phi) => [...phi])).toEqual([
      [1, 2],
      [2, 2],
      [expect.closeTo(4, 12), 2],
    ])
  })

  test('are asked for in an order that says who is hidden', () => {
    expect(allCoalitions(2).map((coalition) => coalition.join(''))).toEqual(['11', '01', '10', '00'])
    expect(() => shapleyValues(2, [[0], [1], [2]])).toThrow('every coalition')
  })
})

describe('sampled Shapley values', () => {
  const players = 12
  /** Weights with a bonus for each neighbouring pair that is there. */
  const bonus = 3
  const worth = (coalition: Coalition): number => {
    const members = visible(coalition)
    const pairs = members.filter((player) => members.includes(player + 1)).length
    return 7 + members.reduce((sum, player) => sum + player, 0) + bonus * pairs
  }
  /** A bonus of a pair is shared by the two. */
  const expected = Array.from({ length: players }, (_, p) => p + (p === 0 || p === players - 1 ? 0.5 : 1) * bonus)

  test('are exact where players meet in pairs: an order and its reverse see each pair both ways', async () => {
    const orders = drawOrders(players, 2, randomStream(3, 'orders'))
    const found = await sampledShapley(players, orders, async (coalitions) => coalitions.map((c) => [worth(c)]))
    for (const [p, [phi]] of found.contributions.entries()) expect(phi).toBeCloseTo(expected[p]!, 10)
    expect(found.standardErrors!.flatMap((errors) => [...errors])).toEqual(new Array(players).fill(0))
    expect([found.nothing[0], found.everything[0]]).toEqual([7, 7 + 66 + 11 * bonus])
  })

  test('are told as uncertain as they vary from seed to seed', async () => {
    // A game of thresholds, whose marginal contributions vary much. Player 0 weighs 3, the others 1; it takes 7 to win.
    const wins = (coalition: Coalition): number =>
      visible(coalition).reduce((sum, p) => sum + (p === 0 ? 3 : 1), 0) >= 7 ? 1 : 0
    const seeds = Array.from({ length: 200 }, (_, seed) => seed)
    const found = await Promise.all(
      seeds.map((seed) =>
        sampledShapley(players, drawOrders(players, 20, randomStream(seed, 'orders')), async (coalitions) =>
          coalitions.map((coalition) => [wins(coalition)]),
        ),
      ),
    )
    const own = found.map(({ contributions }) => contributions[0]![0]!)
    // It decides where it joins when 4 to 6 others are there: 3 of 12 places.
    const mean = own.reduce((sum, phi) => sum + phi, 0) / seeds.length
    const spread = own.reduce((sum, phi) => sum + (phi - 0.25) ** 2, 0) / seeds.length
    expect(Math.abs(mean - 0.25)).toBeLessThan(5 * Math.sqrt(spread / seeds.length))
    const told = found.reduce((sum, { standardErrors }) => sum + standardErrors![0]![0]! ** 2, 0) / seeds.length
    // The variance of 200 draws is within 5·√(2/200) of the truth, and so is what was told of it.
    expect(told / spread).toBeGreaterThan(0.5)
    expect(told / spread).toBeLessThan(2)
  })

  test('evaluate each coalition once', async () => {
    const seen: string[] = []
    const orders = drawOrders(4, 30, randomStream(1, 'orders'))
    const { coalitions } = await sampledShapley(4, orders, async (asked) => {
      seen.push(...asked.map((coalition) => coalition.join('')))
      return asked.map((coalition) => [visible(coalition).length])
    })
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength(16)
    expect(coalitions).toBe(16)
  })

  test('agree with exact ones when every order is sampled', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 8, maxLength: 8 }),
        async (values) => {
          const orders = [
            [0, 1, 2],
            [2, 1, 0],
            [0, 2, 1],
            [1, 2, 0],
            [1, 0, 2],
            [2, 0, 1],
          ]
          const found = await sampledShapley(3, orders, async (coalitions) =>
            coalitions.map((coalition) => [values[bitmask(visible(coalition))]!]),
          )
          for (const [p, phi] of exact(3, values).entries()) expect(found.contributions[p]![0]).toBeCloseTo(phi, 9)
        },
      ),
      { numRuns: 40 },
    ))

  test('take the place of exact ones above ten players', async () => {
    const sampling = { pairs: 3, random: randomStream(1, 'orders') }
    const count = async (n: number) => {
      const { coalitions, standardErrors } = await shapley(
        n,
        async (asked) => asked.map((c) => [visible(c).length]),
        sampling,
      )
      return { coalitions, isSampled: standardErrors !== null }
    }
    expect(await count(10)).toEqual({ coalitions: 1024, isSampled: false })
    const eleven = await count(11)
    expect(eleven.isSampled).toBe(true)
    expect(eleven.coalitions).toBeLessThanOrEqual(2 + 6 * 10)
  })

  test('start from orders and their reverses, the same for the same seed', () => {
    const orders = drawOrders(6, 3, randomStream(9, 'orders'))
    expect(orders).toEqual(drawOrders(6, 3, randomStream(9, 'orders')))
    expect(orders).toHaveLength(6)
    for (const pair of [0, 2, 4]) expect(orders[pair + 1]).toEqual([...orders[pair]!].reverse())
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
  })
})
