/** Where the map is measured, and with which strategies. */
import type { StrategyOptions } from '#cloud/masking/strategy.ts'
import { randomStream } from '#shared/std/random.ts'
import { type Dials, MIDDLE } from './dials.ts'

export type Cell = { readonly name: string; readonly dials: Dials }

export const STRATEGIES: Readonly<Record<string, StrategyOptions>> = {
  uniform: { name: 'uniform' },
  miam: { name: 'miam' },
  'miam λ=3': { name: 'miam', lambdaScore: 3, lambdaSpeed: 3 },
  'beta-hypercube': { name: 'beta-hypercube' },
  'dropout 0.5': { name: 'dropout', rate: 0.5 },
  opm: { name: 'opm' },
}

/** Rates of dropout besides that of the map. */
export const MORE_RATES: Readonly<Record<string, StrategyOptions>> = {
  'dropout 0.1': { name: 'dropout', rate: 0.1 },
  'dropout 0.3': { name: 'dropout', rate: 0.3 },
}

/** What dropout is tuned among. */
export const RATES: readonly string[] = ['dropout 0.5', ...Object.keys(MORE_RATES)]

export const KAPPAS: Readonly<Record<string, StrategyOptions>> = {
  'miam κ=5': { name: 'miam', kappa: 5 },
  'miam κ=20': { name: 'miam', kappa: 20 },
}

const cell = (name: string, dials: Partial<Dials>): Cell => ({ name, dials: { ...MIDDLE, ...dials } })

/** Where the most is to be seen: dominance and redundancy, tokens, what is hard to learn, many modalities. */
export const CORE: readonly Cell[] = [
  cell('dominance 4, redundancy 0.5', {}),
  cell('dominance 1, redundancy 1', { dominance: 1, redundancy: 1 }),
  cell('dominance 4, redundancy 1', { redundancy: 1 }),
  cell('dominance 16, redundancy 1', { dominance: 16, redundancy: 1 }),
  cell('tokens 1, 1, 1', { redundancy: 1, tokens: [1, 1] }),
  cell('tokens 20, 20, 20', { redundancy: 1, tokens: [20, 20] }),
  cell('weak coded, dominance 1, tokens 16', { redundancy: 1, dominance: 1, weakHalf: 'coded', tokens: [16, 16] }),
  cell('5 modalities', { redundancy: 1, modalities: 5 }),
]

/** Between and beyond them. */
export const REST: readonly Cell[] = [
  cell('dominance 4, redundancy 0', { redundancy: 0 }),
  cell('dominance 16, redundancy 0.5', { dominance: 16 }),
  cell('dominance 1, redundancy 0.5', { dominance: 1 }),
  cell('tokens 24, 7, 2', { redundancy: 1, tokens: [24, 2] }),
  cell('tokens 2, 7, 24', { redundancy: 1, tokens: [2, 24] }),
  cell('weak coded, dominance 4', { redundancy: 1, weakHalf: 'coded' }),
  cell('400 observations', { redundancy: 1, train: 400 }),
  cell('2 modalities', { redundancy: 1, modalities: 2 }),
  cell('8 modalities', { redundancy: 1, modalities: 8, tokens: [4, 4] }),
]

const HELD_OUT = 8
const SEED_OF_DIALS = 2026

/** Combinations that nobody chose, for testing what was learned from the map. */
export const heldOutCells = (): readonly Cell[] => {
  const random = randomStream(SEED_OF_DIALS, 'held-out dials')
  const between = (low: number, high: number) => low * (high / low) ** random.uniform()
  return Array.from({ length: HELD_OUT }, (_, i) => {
    const dials: Dials = {
      modalities: 2 + random.index(5),
      dominance: Number(between(1, 20).toFixed(1)),
      redundancy: Number(random.uniform().toFixed(2)),
      tokens: [Math.round(between(1, 16)), Math.round(between(1, 16))],
      weakHalf: random.uniform() < 0.5 ? 'plain' : 'coded',
      train: Math.round(between(400, 2000)),
      validation: 300,
    }
    return { name: `held out ${i + 1}`, dials }
  })
}
