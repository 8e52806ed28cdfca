/**
 * How tokens are hidden in training: a strategy is a law for p, the probabilities by modality that a token is
 * hidden (0 = all visible, 1 = all hidden). Everything else of training is the same for all strategies. One p is
 * drawn for each batch and shared by its observations, unless each is to have its own; `token-mask.ts` turns it into masks.
 */
import { assert } from '#shared/std/assert.ts'
import type { Random } from '#shared/std/random.ts'
import { DEFAULT_CORNER_MASS } from './hypercube.ts'
import { type Imbalance, NO_SCORES, type ScoreHistory, withScores } from './imbalance.ts'
import { lawOf } from './laws.ts'

/** Defaults are in `laws.ts`; what a run used is in its record. */
export type StrategyOptions = StrategyLaw & {
  /** Who shares a p: a batch (when absent, and left out of records then), or every observation draws its own. */
  readonly draws?: 'batch' | 'observation'
}

type StrategyLaw =
  /** Imbalance-aware masking: the Beta hypercube leant against strong and idle modalities. */
  | {
      readonly name: 'miam'
      /** > 0, sharpens the corners. */
      readonly kappa?: number
      /** Exponents ≥ 0 of the two imbalance ratios; both 0 is the Beta hypercube. */
      readonly lambdaScore?: number
      readonly lambdaSpeed?: number
      /** Weight of each corner where all modalities agree, 0 to 1/2. */
      readonly cornerMass?: number
      /** Weight of the past in an exponential average of the scores, 0 to below 1; 0: none. */
      readonly smoothing?: number
    }
  /** A Beta distribution at each corner of the hypercube, whatever the scores are. */
  | { readonly name: 'beta-hypercube'; readonly kappa?: number; readonly cornerMass?: number }
  /** p_m ~ U(0, 1), independently. */
  | { readonly name: 'uniform-hypercube' }
  /** One u ~ U(0, 1) for all modalities (MaskSDM). */
  | { readonly name: 'uniform' }
  /** p_m = `rate` for all modalities. */
  | { readonly name: 'constant'; readonly rate?: number }
  /** p ~ Dirichlet(α, …, α), α > 0 (4M, MultiMAE). Of two modalities at least. */
  | { readonly name: 'dirichlet'; readonly alpha?: number }
  /** Modality dropout (Neverova et al. 2016): each modality is hidden as a whole, with probability `rate`. */
  | { readonly name: 'dropout'; readonly rate?: number }
  /** Strong modalities are hidden as a whole (Wei et al. 2024): q_base is `rate`, λ_o `lambda`. */
  | { readonly name: 'opm'; readonly rate?: number; readonly lambda?: number }
  | { readonly name: 'none' }
  /** One of these, by a rule of thumb (`auto.ts`); the record has the chosen one, and why. */
  | { readonly name: 'auto' }

export type MaskingStrategy = {
  /** Its name and every parameter with its value, defaults included; for the record of the run. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** One p, by modality. */
  readonly draw: (random: Random) => readonly number[]
  /** p by modality for each of the observations of one batch. */
  readonly drawFor: (observations: number, random: Random) => readonly (readonly number[])[]
  /** To be told the scores s_m (fractions) after each epoch, before the next batch is drawn. */
  readonly scored: (scores: readonly number[]) => void
  /** What leans the batches drawn now; null for every strategy but MIAM. */
  readonly imbalance: () => Imbalance | null
  /** All that it remembers, as plain data: `openStrategy` with it continues exactly. */
  readonly state: () => ScoreHistory
}

/** Why a strategy can't be had with so many modalities; null when it can. */
export const refusalOf = ({ name }: StrategyOptions, modalities: number): string | null =>
  name === 'dirichlet' && modalities === 1
    ? 'with a single modality the strategy "dirichlet" would hide every token of every batch'
    : null

/** Parameters that records of older runs lack, with the values that were then built in. */
const FORMERLY_BUILT_IN: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  miam: { cornerMass: DEFAULT_CORNER_MASS, smoothing: 0 },
}

/**
 * What two records have in common if they are of one strategy: its parameters as a run of today would record them. The
 * sentence why it was chosen is left out, because another version may word it otherwise.
 */
export const comparableParameters = (recorded: MaskingStrategy['parameters']): MaskingStrategy['parameters'] => {
  const { because: _, ...parameters } = recorded
  return { ...FORMERLY_BUILT_IN[String(recorded.name)], ...parameters }
}

/** `tokens`: number of tokens of each modality, in the model's order. Refuses parameters out of range. */
export const openStrategy = (
  options: StrategyOptions,
  tokens: readonly number[],
  state: ScoreHistory = NO_SCORES,
): MaskingStrategy => {
  assert(tokens.length > 0 && tokens.every((count) => count > 0), 'each modality has tokens', { tokens })
  const refusal = refusalOf(options, tokens.length)
  assert(refusal === null, refusal ?? '')
  const { parameters, smoothing, after } = lawOf(options, tokens)
  const { draws = 'batch' } = options
  let history = state
  let law = after(history)
  return {
    parameters: draws === 'batch' ? parameters : { ...parameters, draws },
    draw: (random) => law.draw(random),
    drawFor: (observations, random) => {
      if (draws === 'observation') return Array.from({ length: observations }, () => law.draw(random))
      return new Array<readonly number[]>(observations).fill(law.draw(random))
    },
    scored: (scores) => {
      assert(scores.length === tokens.length, 'one score for each modality', { scores, modalities: tokens.length })
      history = withScores(history, scores, smoothing)
      law = after(history)
    },
    imbalance: () => law.imbalance,
    state: () => history,
  }
}
