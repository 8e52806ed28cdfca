/**
 * What becomes of the tokens of whole modalities (method, section 12): closed forms, and draws of each law. Given p
 * tokens are independent, so draws of p alone estimate each probability, with a variance that is closed too.
 */
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { expectMean, expectShare, range } from '#test/support/draws.ts'
import { drawHypercube } from './hypercube.ts'
import { imbalanceOf } from './imbalance.ts'
import { openStrategy, type StrategyOptions } from './strategy.ts'
import { drawTokenMasks } from './token-mask.ts'

const KAPPA = 10
const GEOPLANT = [48, 202, 100]
const TAXABENCH = [1, 1, 1, 1, 1]
const DRAWS = 100_000

/** Of the tokens of one modality: all hidden, none hidden, at least one visible, whatever. */
type Fate = 'hidden' | 'shown' | 'seen' | 'any'

/** sign · p^power, or sign · (1 − p)^power. */
type Term = { readonly sign: number; readonly of: 'p' | '1 − p'; readonly power: number }

/** P(fate | p), or its square (`power` 2), as a sum of terms. */
const termsOf = (fate: Fate, tokens: number, power: 1 | 2): readonly Term[] => {
  switch (fate) {
    case 'hidden':
      return [{ sign: 1, of: 'p', power: power * tokens }]
    case 'shown':
      return [{ sign: 1, of: '1 − p', power: power * tokens }]
    case 'seen':
      return [
        { sign: 1, of: 'p', power: 0 },
        { sign: -power, of: 'p', power: tokens },
        ...(power === 2 ? [{ sign: 1, of: 'p', power: 2 * tokens } as const] : []),
      ]
    case 'any':
      return [{ sign: 1, of: 'p', power: 0 }]
  }
}

/** Γ(n + 1)Γ(b + 1) / Γ(n + 1 + b) for whole n, as the product that it is. */
const gammaForm = (n: number, b: number): number =>
  range(n).reduce((product, i) => (product * (i + 1)) / (i + 1 + b), 1)

/** E of a power of p or 1 − p: p ~ Beta(1, κ/w) at corner 0, Beta(κw, 1) at corner 1. */
const momentAt = (hidden: boolean, { of, power }: Term, w: number): number => {
  const shape = hidden ? KAPPA * w : KAPPA / w
  return hidden === (of === 'p') ? shape / (shape + power) : gammaForm(power, shape)
}

type Hypercube = { readonly tokens: readonly number[]; readonly w: readonly number[]; readonly singleToken: boolean }

const cornerWeight = (corner: readonly boolean[], singleToken: boolean): number => {
  if (corner.every((hidden) => !hidden)) return singleToken ? 1 / 2 : 1 / 4
  if (corner.every((hidden) => hidden)) return singleToken ? 0 : 1 / 4
  return 1 / (2 * (2 ** corner.length - 2))
}

/** E of the product of P(fate | p), or of its square, over all corners. */
const expectation = ({ tokens, w, singleToken }: Hypercube, fates: readonly Fate[], power: 1 | 2 = 1): number =>
  range(2 ** tokens.length).reduce((sum, bits) => {
    const corner = tokens.map((_, m) => ((bits >> m) & 1) === 1)
    const product = fates
      .map((fate, m) =>
        termsOf(fate, tokens[m]!, power).reduce(
          (total, term) => total + term.sign * momentAt(corner[m]!, term, w[m]!),
          0,
        ),
      )
      .reduce((a, b) => a * b, 1)
    return sum + cornerWeight(corner, singleToken) * product
  }, 0)

const balanced = (tokens: readonly number[], singleToken = false): Hypercube => ({
  tokens,
  w: tokens.map(() => 1),
  singleToken,
})

/** The worked example of the imbalance. */
const example = (lambda: number): Hypercube => {
  const [s, d] = [
    [0.92, 0.88, 0.7],
    [0.001, 0.004, 0.02],
  ]
  const history = { previous: s!.map((score, m) => score - d![m]!), last: s! }
  const { lnW } = imbalanceOf(history, { lambdaScore: lambda, lambdaSpeed: lambda }, 3)
  return { tokens: GEOPLANT, w: lnW.map(Math.exp), singleToken: false }
}

const probabilityAt = (fates: readonly Fate[], tokens: readonly number[], p: readonly number[]): number =>
  fates
    .map((fate, m) => {
      const allHidden = p[m]! ** tokens[m]!
      return { hidden: allHidden, shown: (1 - p[m]!) ** tokens[m]!, seen: 1 - allHidden, any: 1 }[fate]
    })
    .reduce((a, b) => a * b, 1)

const drawsOf = ({ w, singleToken }: Hypercube): readonly (readonly number[])[] => {
  const { uniform } = randomStream(w.length, 'fates')
  const options = { kappa: KAPPA, cornerMass: 1 / 4, singleToken }
  return range(DRAWS).map(() => drawHypercube(w.map(Math.log), options, uniform))
}

/** By draws of p, against the closed form. */
const expectFates = (law: Hypercube, drawn: readonly (readonly number[])[], fates: readonly Fate[]): void => {
  const mean = expectation(law, fates)
  expectMean(
    drawn.map((p) => probabilityAt(fates, law.tokens, p)),
    mean,
    expectation(law, fates, 2) - mean ** 2,
  )
}

const HIDDEN: readonly Fate[] = ['hidden', 'hidden', 'hidden']
const SHOWN: readonly Fate[] = ['shown', 'shown', 'shown']
const ONLY_THIRD: readonly Fate[] = ['hidden', 'hidden', 'seen']

describe('GeoPlant, balanced', () => {
  const law = balanced(GEOPLANT)
  const drawn = drawsOf(law)

  test('a modality wholly hidden, everything hidden, everything visible', () => {
    const wholly: readonly (readonly Fate[])[] = [
      ['hidden', 'any', 'any'],
      ['any', 'hidden', 'any'],
      ['any', 'any', 'hidden'],
    ]
    expect(wholly.map((fates) => expectation(law, fates).toFixed(6))).toEqual(['0.086207', '0.023585', '0.045455'])
    for (const fates of [...wholly, HIDDEN, SHOWN]) expectFates(law, drawn, fates)
    expect(expectation(law, HIDDEN)).toBeCloseTo(1.8483e-4, 8)
    expect(expectation(law, SHOWN)).toBeCloseTo(1.8483e-4, 8)
  })

  test('half of the 350 tokens are hidden on average', () => {
    const hidden = drawn.map((p) => p.reduce((sum, x, m) => sum + x * GEOPLANT[m]!, 0))
    // Var = Σ T² Var(p) + 2 Σ T_m T_n Cov, with 0.174242 and 0.0557851 at κ = 10.
    const squares = GEOPLANT.reduce((sum, count) => sum + count ** 2, 0)
    expectMean(hidden, 175, squares * 0.174242 + (350 ** 2 - squares) * 0.0557851)
  })
})

describe('only the third modality of GeoPlant has visible tokens', () => {
  const probabilities = (options: StrategyOptions): readonly number[] => {
    const strategy = openStrategy(options, GEOPLANT)
    const random = randomStream(1, options.name)
    return range(DRAWS).map(() => probabilityAt(ONLY_THIRD, GEOPLANT, strategy.draw(random)))
  }

  test('Uniform: 1/(1 + Σ_{j≠m} T_j) − 1/(1 + Σ_j T_j), for each modality', () => {
    const only = (m: number): number => 1 / (1 + 350 - GEOPLANT[m]!) - 1 / (1 + 350)
    expect(only(2)).toBeCloseTo(1.135e-3, 6)
    const strategy = openStrategy({ name: 'uniform' }, GEOPLANT)
    const random = randomStream(1, 'uniform')
    const drawn = range(DRAWS).map(() => strategy.draw(random))
    for (const m of range(3)) {
      const fates = range(3).map((j): Fate => (j === m ? 'seen' : 'hidden'))
      const others = 350 - GEOPLANT[m]!
      // The square of u^others · (1 − u^T), integrated.
      const second = 1 / (2 * others + 1) - 2 / (others + 351) + 1 / 701
      expectMean(
        drawn.map((p) => probabilityAt(fates, GEOPLANT, p)),
        only(m),
        second - only(m) ** 2,
      )
    }
  })

  test('the uniform hypercube: (1/49)(1/203)(1 − 1/101)', () => {
    const [mean, second] = [(1 / 49 / 203) * (1 - 1 / 101), (1 / 97 / 405) * (1 - 2 / 101 + 1 / 201)]
    expect(mean).toBeCloseTo(9.95e-5, 7)
    expectMean(probabilities({ name: 'uniform-hypercube' }), mean, second - mean ** 2)
  })

  test.each([
    ['the Beta hypercube', balanced(GEOPLANT), 2.526e-3, 6],
    ['MIAM in the worked example, λ = 1', example(1), 8.82e-3, 5],
    ['MIAM in the worked example, λ = 3', example(3), 2.985e-2, 5],
  ] as const)('%s', (_, law, probability, precision) => {
    expect(expectation(law, ONLY_THIRD)).toBeCloseTo(probability, precision)
    expectFates(law, drawsOf(law), ONLY_THIRD)
  })

  test('MIAM, λ = 3, told the scores and counted token by token', () => {
    const strategy = openStrategy({ name: 'miam', lambdaScore: 3, lambdaSpeed: 3 }, GEOPLANT)
    strategy.scored([0.919, 0.876, 0.68])
    strategy.scored([0.92, 0.88, 0.7])
    const modalityOf = Uint16Array.from(GEOPLANT.flatMap((count, m) => new Array<number>(count).fill(m)))
    const random = randomStream(8, 'token by token')
    const isOnlyThird = range(6_000).map(() => {
      const hidden = drawTokenMasks(strategy.drawFor(1, random), modalityOf, [new Uint8Array(350)], random.uniform)
      return !hidden.subarray(0, 250).includes(0) && hidden.subarray(250).includes(0)
    })
    expectShare(isOnlyThird, expectation(example(3), ONLY_THIRD))
  })
})

test('leant masks: each modality wholly hidden, wholly shown, and every pair of fates, by draws', () => {
  for (const law of [example(1), example(3)]) {
    const drawn = drawsOf(law)
    for (const fate of ['hidden', 'shown'] as const) {
      for (const m of range(3)) {
        expectFates(
          law,
          drawn,
          range(3).map((j) => (j === m ? fate : 'any')),
        )
      }
    }
    expectFates(law, drawn, ['hidden', 'shown', 'any'])
    expectFates(law, drawn, ['shown', 'hidden', 'seen'])
  }
})

test('TaxaBench: the single-token rule all but ends empty inputs and doubles the full ones', () => {
  const all = (fate: Fate): readonly Fate[] => TAXABENCH.map(() => fate)
  const digits = (law: Hypercube): readonly string[] => [
    expectation(law, all('hidden')).toFixed(6),
    expectation(law, all('shown')).toFixed(6),
  ]
  const [standard, single] = [balanced(TAXABENCH), balanced(TAXABENCH, true)]
  expect(digits(standard)).toEqual(['0.161550', '0.161550'])
  expect(digits(single)).toEqual(['0.006321', '0.316779'])
  for (const law of [standard, single]) {
    const drawn = drawsOf(law)
    for (const fate of ['hidden', 'shown'] as const) expectFates(law, drawn, all(fate))
  }
  // What a strategy of single tokens draws is the rule.
  const strategy = openStrategy({ name: 'beta-hypercube' }, TAXABENCH)
  const random = randomStream(5, 'fates')
  const drawn = drawsOf(single).slice(0, 100)
  expect(drawn.map(() => strategy.draw(random))).toEqual(drawn)
})

test('with one token each, Constant and dropout of equal rates are one law', () => {
  const rate = 0.3
  const draws = 20_000
  const modalityOf = Uint16Array.of(0, 1)
  for (const name of ['constant', 'dropout'] as const) {
    const strategy = openStrategy({ name, rate }, [1, 1])
    const random = randomStream(2, name)
    const hidden = range(draws).map(() =>
      drawTokenMasks(strategy.drawFor(1, random), modalityOf, [new Uint8Array(2)], random.uniform).join(''),
    )
    for (const [pattern, probability] of [
      ['11', rate ** 2],
      ['10', rate * (1 - rate)],
      ['00', (1 - rate) ** 2],
    ] as const) {
      expectShare(
        hidden.map((bits) => bits === pattern),
        probability,
      )
    }
  }
})
