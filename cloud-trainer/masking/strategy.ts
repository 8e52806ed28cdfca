/**
 * How tokens are hidden in training: a strategy is a law for p, the probabilities by modality that a token is
 * hidden (0 = all visible, 1 = all hidden). Everything else of training is the same for all strategies. One p is
 * drawn for each batch and shared by its observations; `token-mask.ts` turns it into masks.
 */
import { assert, assertNever } from '#shared/std/assert.ts'
import type { Random } from '#shared/std/random.ts'
import { drawHypercube } from './hypercube.ts'
import {
  type Imbalance,
  type ImbalanceOptions,
  imbalanceOf,
  NO_SCORES,
  type ScoreHistory,
  withScores,
} from './imbalance.ts'

export type StrategyOptions =
  /** Imbalance-aware masking. `kappa` > 0 sharpens the corners; both lambdas 0 is the static Beta hypercube. */
  | {
      readonly name: 'miam'
      readonly kappa?: number
      readonly lambdaScore?: number
      readonly lambdaSpeed?: number
    }
  /** One u ~ U(0, 1) for all modalities (MaskSDM). */
  | { readonly name: 'uniform' }
  /** Modality dropout (Neverova et al. 2016): each modality is hidden as a whole, with probability `rate`. */
  | { readonly name: 'dropout'; readonly rate?: number }
  | { readonly name: 'none' }

export type MaskingStrategy = {
  /** Its name and every parameter with its value, defaults included; for the record of the run. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** p by modality, for one batch. */
  readonly draw: (random: Random) => readonly number[]
  /** To be told the scores s_m (fractions) after each epoch, before the next batch is drawn. */
  readonly scored: (scores: readonly number[]) => void
  /** What acts on the batches drawn now; null for a strategy that no score changes. */
  readonly imbalance: () => Imbalance | null
  /** All that it remembers, as plain data: `openStrategy` with it continues exactly. */
  readonly state: () => ScoreHistory
}

/** κ and λ of the paper's milder setting; the rate is that of the authors' demonstration. */
const DEFAULTS = { kappa: 10, lambdaScore: 1, lambdaSpeed: 1, rate: 0.1 }

type Law = Pick<MaskingStrategy, 'parameters'> & {
  readonly draw: (imbalance: Imbalance | null, random: Random) => readonly number[]
  /** Null for a law that no score changes. */
  readonly leaning: ImbalanceOptions | null
}

/** `tokens`: tokens of each modality. */
const miam = (options: Extract<StrategyOptions, { name: 'miam' }>, tokens: readonly number[]): Law => {
  const { kappa = DEFAULTS.kappa, lambdaScore = DEFAULTS.lambdaScore, lambdaSpeed = DEFAULTS.lambdaSpeed } = options
  assert(kappa > 0 && Number.isFinite(kappa), 'kappa is positive', { kappa })
  assert(lambdaScore >= 0 && lambdaSpeed >= 0, 'the lambdas are not negative', { lambdaScore, lambdaSpeed })
  const singleToken = tokens.every((count) => count === 1)
  return {
    parameters: { name: 'miam', kappa, lambdaScore, lambdaSpeed },
    leaning: { lambdaScore, lambdaSpeed },
    draw: (imbalance, random) => drawHypercube(imbalance!.lnW, kappa, singleToken, random.uniform),
  }
}

const lawOf = (options: StrategyOptions, tokens: readonly number[]): Law => {
  switch (options.name) {
    case 'miam':
      return miam(options, tokens)
    case 'uniform':
      return {
        parameters: { name: 'uniform' },
        leaning: null,
        draw: (_, random) => new Array<number>(tokens.length).fill(random.uniform()),
      }
    case 'dropout': {
      const { rate = DEFAULTS.rate } = options
      assert(rate >= 0 && rate <= 1, 'a rate is a probability', { rate })
      return {
        parameters: { name: 'dropout', rate },
        leaning: null,
        draw: (_, random) => tokens.map(() => (random.uniform() < rate ? 1 : 0)),
      }
    }
    case 'none':
      return { parameters: { name: 'none' }, leaning: null, draw: () => tokens.map(() => 0) }
    default:
      return assertNever(options)
  }
}

/** `tokens`: number of tokens of each modality, in the model's order. Refuses parameters out of range. */
export const openStrategy = (
  options: StrategyOptions,
  tokens: readonly number[],
  state: ScoreHistory = NO_SCORES,
): MaskingStrategy => {
  assert(tokens.length > 0 && tokens.every((count) => count > 0), 'each modality has tokens', { tokens })
  const law = lawOf(options, tokens)
  let history = state
  const imbalance = () => law.leaning && imbalanceOf(history, law.leaning, tokens.length)
  let current = imbalance()
  return {
    parameters: law.parameters,
    draw: (random) => law.draw(current, random),
    scored: (scores) => {
      assert(scores.length === tokens.length, 'one score for each modality', { scores, modalities: tokens.length })
      history = withScores(history, scores)
      current = imbalance()
    },
    imbalance: () => current,
    state: () => history,
  }
}
