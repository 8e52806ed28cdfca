/** What modalities and tokens contribute: to a metric over many observations, or to the logits of one. */
import type { Random } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { difference, type Estimate, estimateOf, logitsOfMasks, type MaskValues, type Predict } from './games.ts'
import { hiddenSlots, modalityPlayers, type Player, tokenPlayers } from './players.ts'
import { type Contributions, shapley } from './shapley.ts'

export type Sampling = {
  /** Pairs of orders, when they are sampled. */
  readonly pairs: number
  readonly random: Random
}

type GlobalContribution = Estimate & {
  readonly name: string
  /** Of sampled orders; null when exact. */
  readonly standardError: number | null
  /** The metric with this modality alone. */
  readonly alone: Estimate
}

export type GlobalShapley = {
  readonly contributions: readonly GlobalContribution[]
  readonly nothing: Estimate
  readonly everything: Estimate
  readonly coalitions: number
}

/** Shapley values of the modalities by the metric of `values` (of `metricOfMasks`). Intervals: over observations, paired. */
export const globalShapley = async (
  layout: TokenLayout,
  values: MaskValues,
  sampling: Sampling,
): Promise<GlobalShapley> => {
  const players = modalityPlayers(layout)
  const found = await shapley(players.length, gameOf(layout, players, values), sampling)
  const alone = await values(
    players.map((_, p) =>
      hiddenSlots(
        layout,
        players,
        Uint8Array.from(players, (_, other) => (other === p ? 0 : 1)),
      ),
    ),
  )
  return {
    contributions: players.map(({ name }, p) => ({
      name,
      ...estimateOf(found.contributions[p]!),
      standardError: found.standardErrors === null ? null : found.standardErrors[p]![0]!,
      alone: estimateOf(alone[p]!),
    })),
    nothing: estimateOf(found.nothing),
    everything: estimateOf(found.everything),
    coalitions: found.coalitions,
  }
}

const gameOf =
  (layout: TokenLayout, players: readonly Player[], values: MaskValues) => (coalitions: readonly Uint8Array[]) =>
    values(coalitions.map((coalition) => hiddenSlots(layout, players, coalition)))

export type LocalContribution = {
  readonly name: string
  /** Logit (log-odds) that it adds on average over orders. */
  readonly value: number
  /** Of sampled orders; null when exact. */
  readonly standardError: number | null
  /** Logit that is lost when it alone is hidden. */
  readonly lost: number
}

export type LocalShapley = {
  /** Index of the label. */
  readonly label: number
  readonly contributions: readonly LocalContribution[]
  /** Logits with everything hidden, and as observed. */
  readonly nothing: number
  readonly everything: number
  readonly coalitions: number
}

type LocalOptions = {
  readonly layout: TokenLayout
  readonly row: TokenSet
  /** By index. */
  readonly labels: readonly number[]
  readonly predict: Predict
  readonly sampling: Sampling
  readonly signal?: AbortSignal
}

/** Shapley values of the modalities that one observation has, by logit, for each label. */
export const localShapley = (options: LocalOptions): Promise<readonly LocalShapley[]> => {
  const { hidden } = options.row
  return local(
    options,
    modalityPlayers(options.layout).filter(({ slots }) => slots.some((slot) => hidden[slot] === 0)),
  )
}

/** The same for each of its visible tokens. */
export const tokenContributions = (options: LocalOptions): Promise<readonly LocalShapley[]> =>
  local(options, tokenPlayers(options.layout, options.row.hidden))

/** No contributions when the observation has no token. */
const local = async (options: LocalOptions, players: readonly Player[]): Promise<readonly LocalShapley[]> => {
  const { layout, labels, sampling } = options
  const values = logitsOfMasks(options)
  const found =
    players.length === 0
      ? await emptyGame(layout, values)
      : await shapley(players.length, gameOf(layout, players, values), sampling)
  const without = await values(
    players.map((_, p) =>
      hiddenSlots(
        layout,
        players,
        Uint8Array.from(players, (_, other) => (other === p ? 1 : 0)),
      ),
    ),
  )
  return labels.map((label, k) => ({
    label,
    contributions: players.map(({ name }, p) => ({
      name,
      value: found.contributions[p]![k]!,
      standardError: found.standardErrors === null ? null : found.standardErrors[p]![k]!,
      lost: difference(found.everything, without[p]!)[k]!,
    })),
    nothing: found.nothing[k]!,
    everything: found.everything[k]!,
    coalitions: found.coalitions,
  }))
}

const emptyGame = async (layout: TokenLayout, values: MaskValues): Promise<Contributions> => {
  const [nothing] = await values([new Uint8Array(layout.slots.length).fill(1)])
  return { contributions: [], standardErrors: null, nothing: nothing!, everything: nothing!, coalitions: 1 }
}
