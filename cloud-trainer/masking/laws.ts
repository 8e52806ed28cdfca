/** The laws of p that strategies follow, each with its parameters written out. */
import { assert, assertNever } from '#shared/std/assert.ts'
import type { Random } from '#shared/std/random.ts'
import { chooseStrategy } from './auto.ts'
import { drawDirichlet } from './dirichlet.ts'
import { DEFAULT_CORNER_MASS, drawHypercube } from './hypercube.ts'
import { type Imbalance, imbalanceOf, type ScoreHistory } from './imbalance.ts'
import { opmRates } from './opm.ts'
import type { StrategyOptions } from './strategy.ts'

export type Law = {
  /** The strategy's name and every parameter, defaults included. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** Weight of the past in the remembered scores, see `withScores`. */
  readonly smoothing: number
  readonly after: (history: ScoreHistory) => LawInForce
}

/** A law once the scores are known. */
type LawInForce = {
  /** p by modality. */
  readonly draw: (random: Random) => readonly number[]
  readonly imbalance: Imbalance | null
}

/** κ, λ and a are the paper's milder setting; rates, α and λ of OPM those of the authors' demonstration. */
const DEFAULTS = {
  kappa: 10,
  lambdaScore: 1,
  lambdaSpeed: 1,
  cornerMass: DEFAULT_CORNER_MASS,
  smoothing: 0,
  constantRate: 0.75,
  dropoutRate: 0.1,
  alpha: 1,
  opm: { rate: 0.5, lambda: 0.5 },
}

/** A law that no score changes. */
const fixed = (parameters: Law['parameters'], draw: LawInForce['draw']): Law => ({
  parameters,
  smoothing: 0,
  after: () => ({ draw, imbalance: null }),
})

/** p is 0 or 1. */
const wholly = (rates: readonly number[], { uniform }: Random): readonly number[] =>
  rates.map((rate) => (uniform() < rate ? 1 : 0))

const assertProbability = (value: number): void =>
  assert(value >= 0 && value <= 1, 'a rate is a probability', { value })

/** `tokens`: tokens of each modality. */
export const lawOf = (options: StrategyOptions, tokens: readonly number[]): Law => {
  const modalities = tokens.length
  const everywhere = (p: number) => new Array<number>(modalities).fill(p)
  switch (options.name) {
    case 'miam':
      return miam(options, tokens)
    case 'beta-hypercube':
      return betaHypercube(options, tokens)
    case 'uniform-hypercube':
      return fixed({ name: options.name }, ({ uniform }) => tokens.map(uniform))
    case 'uniform':
      return fixed({ name: options.name }, ({ uniform }) => everywhere(uniform()))
    case 'constant': {
      const { name, rate = DEFAULTS.constantRate } = options
      assertProbability(rate)
      return fixed({ name, rate }, () => everywhere(rate))
    }
    case 'dirichlet': {
      const { name, alpha = DEFAULTS.alpha } = options
      assert(alpha > 0 && Number.isFinite(alpha), 'alpha is positive', { alpha })
      return fixed({ name, alpha }, (random) => drawDirichlet(modalities, alpha, random))
    }
    case 'dropout': {
      const { name, rate = DEFAULTS.dropoutRate } = options
      assertProbability(rate)
      return fixed({ name, rate }, (random) => wholly(everywhere(rate), random))
    }
    case 'opm':
      return opm(options, everywhere)
    case 'none':
      return fixed({ name: options.name }, () => everywhere(0))
    case 'auto':
      return chosen(tokens)
    default:
      return assertNever(options)
  }
}

/** The chosen law as it is, and in its record who chose it and why. */
const chosen = (tokens: readonly number[]): Law => {
  const { strategy, reason } = chooseStrategy(tokens)
  const law = lawOf(strategy, tokens)
  return { ...law, parameters: { ...law.parameters, chosenBy: 'auto', because: reason } }
}

type OptionsOf<Name extends StrategyOptions['name']> = Extract<StrategyOptions, { name: Name }>

const hypercubeOf = (
  { kappa = DEFAULTS.kappa, cornerMass = DEFAULTS.cornerMass }: Omit<OptionsOf<'beta-hypercube'>, 'name'>,
  tokens: readonly number[],
) => {
  assert(kappa > 0 && Number.isFinite(kappa), 'kappa is positive', { kappa })
  assert(cornerMass >= 0 && cornerMass <= 1 / 2, 'a corner mass is 0 to 1/2', { cornerMass })
  return { kappa, cornerMass, singleToken: tokens.every((count) => count === 1) }
}

const betaHypercube = (options: OptionsOf<'beta-hypercube'>, tokens: readonly number[]): Law => {
  const hypercube = hypercubeOf(options, tokens)
  const { kappa, cornerMass } = hypercube
  const lnW = tokens.map(() => 0)
  return fixed({ name: options.name, kappa, cornerMass }, ({ uniform }) => drawHypercube(lnW, hypercube, uniform))
}

const miam = (options: OptionsOf<'miam'>, tokens: readonly number[]): Law => {
  const hypercube = hypercubeOf(options, tokens)
  const { kappa, cornerMass } = hypercube
  const {
    lambdaScore = DEFAULTS.lambdaScore,
    lambdaSpeed = DEFAULTS.lambdaSpeed,
    smoothing = DEFAULTS.smoothing,
  } = options
  assert(lambdaScore >= 0 && lambdaSpeed >= 0, 'the lambdas are not negative', { lambdaScore, lambdaSpeed })
  assert(smoothing >= 0 && smoothing < 1, 'smoothing is at least 0 and below 1', { smoothing })
  return {
    parameters: { name: options.name, kappa, lambdaScore, lambdaSpeed, cornerMass, smoothing },
    smoothing,
    after: (history) => {
      const imbalance = imbalanceOf(history, { lambdaScore, lambdaSpeed }, tokens.length)
      return { imbalance, draw: ({ uniform }) => drawHypercube(imbalance.lnW, hypercube, uniform) }
    },
  }
}

const opm = (options: OptionsOf<'opm'>, everywhere: (p: number) => readonly number[]): Law => {
  const { rate = DEFAULTS.opm.rate, lambda = DEFAULTS.opm.lambda } = options
  assertProbability(rate)
  assert(lambda >= 0 && Number.isFinite(lambda), 'lambda is not negative', { lambda })
  return {
    parameters: { name: options.name, rate, lambda },
    smoothing: 0,
    after: ({ last }) => {
      if (last === null) return { imbalance: null, draw: () => everywhere(rate) }
      const rates = opmRates(last, { rate, lambda })
      return { imbalance: null, draw: (random) => wholly(rates, random) }
    },
  }
}
