/**
 * Shapley values (Shapley 1953): what each player adds to the value of a game, averaged over all orders in which players
 * can join. Here a player is a modality or a token, a coalition is what the model sees, and the value is a metric or a
 * logit. Games may have many values at once, side by side (a metric and its resamples, or the logits of many labels):
 * Shapley values are linear in them. Pure.
 */
import { assert } from '#shared/std/assert.ts'
import type { Random } from '#shared/std/random.ts'

/** [players], 1 = hidden. */
export type Coalition = Uint8Array

/** Values of one coalition; the same number of them for all coalitions of a game. */
export type Values = ArrayLike<number>

/** Values of coalitions, in their order. */
export type Game = (coalitions: readonly Coalition[]) => Promise<readonly Values[]>

/** Beyond this 2^players evaluations are too many, and orders are sampled. */
const MOST_EXACT_PLAYERS = 10

export type Contributions = {
  /** [players][values] */
  readonly contributions: readonly Float64Array[]
  /** [players][values]: of the sampling of orders; null when every coalition was evaluated. */
  readonly standardErrors: readonly Float64Array[] | null
  /** Values with every player hidden, and with none. */
  readonly nothing: Values
  readonly everything: Values
  /** Evaluated coalitions. */
  readonly coalitions: number
}

/** All 2^players coalitions; in the c-th, player i is visible where bit i of c is set. */
export const allCoalitions = (players: number): readonly Coalition[] =>
  Array.from({ length: 2 ** players }, (_, c) => Uint8Array.from({ length: players }, (_, i) => 1 - ((c >> i) & 1)))

/**
 * φ_i = Σ over S without i of |S|!(n−|S|−1)!/n! · (v(S ∪ i) − v(S)). `values`: of all coalitions, in the order of
 * `allCoalitions`. Σφ = v(all) − v(∅) up to rounding.
 */
export const shapleyValues = (players: number, values: readonly Values[]): readonly Float64Array[] => {
  assert(players > 0 && values.length === 2 ** players, 'every coalition has its values', {
    players,
    coalitions: values.length,
  })
  const weights = joiningWeights(players)
  return Array.from({ length: players }, (_, player) => {
    const own = new Float64Array(values[0]!.length)
    for (let without = 0; without < values.length; without++) {
      if ((without >> player) & 1) continue
      const [before, after] = [values[without]!, values[without | (1 << player)]!]
      const weight = weights[bitsOf(without)]!
      for (let k = 0; k < own.length; k++) own[k]! += weight * (after[k]! - before[k]!)
    }
    return own
  })
}

/** [size]: share of the orders in which exactly the players of one given coalition of that size come before a given one. */
const joiningWeights = (players: number): readonly number[] => {
  const weights: number[] = [1 / players]
  for (let size = 1; size < players; size++) weights.push((weights[size - 1]! * size) / (players - size))
  return weights
}

const bitsOf = (mask: number): number => {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}

/**
 * Orders to sample, each followed by its reverse: the two halves of a pair err in opposite ways (antithetic permutations;
 * Mitchell, Cooper, Frank and Holmes 2022, section 3.1), wholly so where players interact in pairs alone. `pairs` ≥ 2,
 * so that there is a standard error.
 */
export const drawOrders = (players: number, pairs: number, random: Random): readonly (readonly number[])[] =>
  Array.from({ length: pairs }, () => {
    const order = random.shuffle(Array.from({ length: players }, (_, i) => i))
    return [order, [...order].reverse()]
  }).flat()

/**
 * Mean marginal contributions over sampled orders (Castro, Gómez and Tejada 2009), with standard errors from the spread
 * of the pairs. `orders`: of `drawOrders`. Each coalition is evaluated once. Σφ = v(all) − v(∅) here too.
 */
export const sampledShapley = async (
  players: number,
  orders: readonly (readonly number[])[],
  game: Game,
): Promise<Contributions> => {
  assert(orders.length >= 4 && orders.length % 2 === 0, 'orders come in at least two pairs', { orders: orders.length })
  const { coalitions, steps } = coalitionsOf(players, orders)
  const values = await game(coalitions)
  const size = values[0]!.length
  const pairs = orders.length / 2
  const sums = Array.from({ length: players }, () => new Float64Array(size))
  const squares = Array.from({ length: players }, () => new Float64Array(size))
  for (let pair = 0; pair < pairs; pair++) {
    const own = Array.from({ length: players }, () => new Float64Array(size))
    for (const o of [2 * pair, 2 * pair + 1]) {
      for (const [at, player] of orders[o]!.entries()) {
        const [before, after] = [values[steps[o]![at]!]!, values[steps[o]![at + 1]!]!]
        for (let k = 0; k < size; k++) own[player]![k]! += (after[k]! - before[k]!) / 2
      }
    }
    for (const [player, marginal] of own.entries()) {
      for (let k = 0; k < size; k++) {
        sums[player]![k]! += marginal[k]!
        squares[player]![k]! += marginal[k]! ** 2
      }
    }
  }
  const contributions = sums.map((sum) => sum.map((value) => value / pairs))
  const standardErrors = squares.map((square, player) =>
    square.map((value, k) => Math.sqrt(Math.max(0, value / pairs - contributions[player]![k]! ** 2) / (pairs - 1))),
  )
  const [nothing, everything] = [values[0]!, values[steps[0]![players]!]!]
  return { contributions, standardErrors, nothing, everything, coalitions: coalitions.length }
}

/** Each coalition that occurs, once, the empty one first; and for each order its players + 1 coalitions by index. */
const coalitionsOf = (players: number, orders: readonly (readonly number[])[]) => {
  const coalitions: Coalition[] = []
  const indices = new Map<string, number>()
  const indexOf = (coalition: Coalition): number => {
    const key = String.fromCharCode(...coalition)
    const known = indices.get(key)
    if (known !== undefined) return known
    indices.set(key, coalitions.length)
    return coalitions.push(coalition.slice()) - 1
  }
  const steps = orders.map((order) => {
    const coalition = new Uint8Array(players).fill(1)
    return [
      indexOf(coalition),
      ...order.map((player) => {
        coalition[player] = 0
        return indexOf(coalition)
      }),
    ]
  })
  return { coalitions, steps }
}

/** Every coalition is evaluated. */
const exactShapley = async (players: number, game: Game): Promise<Contributions> => {
  const values = await game(allCoalitions(players))
  return {
    contributions: shapleyValues(players, values),
    standardErrors: null,
    nothing: values[0]!,
    everything: values.at(-1)!,
    coalitions: values.length,
  }
}

/** Exact up to 10 players; above, `pairs` pairs of orders are sampled from `random`. */
export const shapley = (
  players: number,
  game: Game,
  sampling: { readonly pairs: number; readonly random: Random },
): Promise<Contributions> =>
  players <= MOST_EXACT_PLAYERS
    ? exactShapley(players, game)
    : sampledShapley(players, drawOrders(players, sampling.pairs, sampling.random), game)
