/**
 * A made set of data. A latent state of a few factors lies behind each modality, shared with the others to some degree;
 * labels follow the sum of these states; tokens show a modality's own state with noise. Pure, equal for equal dials and
 * seed.
 */
import { type Random, randomStream } from '#shared/std/random.ts'
import { type Dials, type MadeModality, modalitiesOf } from './dials.ts'

/** Numbers of a latent state. */
const FACTORS = 4
/** Numbers of a token: the factors and the sign that codes them, or would. */
export const TOKEN_SIZE = FACTORS + 1
export const LABELS = 8
const TEST = 800
/** Standard deviation of what no modality knows of a label, where what the states say has 1. */
const LABEL_NOISE = 0.5

type MadeRow = {
  readonly part: 'train' | 'validation' | 'test'
  /** By modality, [tokens × TOKEN_SIZE]. */
  readonly tokens: readonly Float64Array[]
  /** [LABELS]: 1 or 0. */
  readonly labels: Uint8Array
}

export type MadeSet = { readonly modalities: readonly MadeModality[]; readonly rows: readonly MadeRow[] }

/** A label reads one direction of the states, the same of every modality: what they share must add up. */
type Label = { readonly direction: readonly number[]; readonly threshold: number }

export const makeSet = (dials: Dials, seed: number): MadeSet => {
  const modalities = modalitiesOf(dials)
  const rules = randomStream(seed, 'labels')
  const labels = Array.from(
    { length: LABELS },
    (): Label => ({ direction: unitVector(rules), threshold: rules.uniform() }),
  )
  const random = randomStream(seed, 'rows')
  const parts = [
    ...new Array<MadeRow['part']>(dials.train).fill('train'),
    ...new Array<MadeRow['part']>(dials.validation).fill('validation'),
    ...new Array<MadeRow['part']>(TEST).fill('test'),
  ]
  return { modalities, rows: parts.map((part) => makeRow(part, dials, modalities, labels, random)) }
}

/** Variance of the sum of M states that are shared to the degree r: M·(1 + (M − 1)·r). */
const spread = (count: number, redundancy: number): number => Math.sqrt(count * (1 + (count - 1) * redundancy))

const makeRow = (
  part: MadeRow['part'],
  { redundancy }: Dials,
  modalities: readonly MadeModality[],
  labels: readonly Label[],
  random: Random,
): MadeRow => {
  const shared = normals(random)
  const states = modalities.map(() => mix(shared, normals(random), redundancy))
  return {
    part,
    tokens: modalities.map((modality, m) => show(states[m]!, modality, random)),
    labels: Uint8Array.from(labels, ({ direction, threshold }) => {
      const said = states.reduce((sum, state) => sum + dot(direction, state), 0)
      return said / spread(modalities.length, redundancy) + LABEL_NOISE * random.normal() > threshold ? 1 : 0
    }),
  }
}

/** Variance 1 again, of which `share` is from the first. */
const mix = (first: readonly number[], second: readonly number[], share: number): readonly number[] =>
  first.map((value, i) => Math.sqrt(share) * value + Math.sqrt(1 - share) * second[i]!)

/**
 * The mean of all tokens has signal and noise in the proportion of the reliability, so how many there are changes
 * nothing about what they say together.
 */
const show = (
  state: readonly number[],
  { reliability, tokens, isCoded }: MadeModality,
  random: Random,
): Float64Array => {
  const noise = Math.sqrt((tokens * (1 - reliability)) / reliability)
  const sign = random.uniform() < 0.5 ? -1 : 1
  // As large as a factor with its noise: no scaling of the inputs makes it small.
  const size = Math.sqrt(1 + noise ** 2)
  return Float64Array.from({ length: tokens * TOKEN_SIZE }, (_, i) => {
    const factor = i % TOKEN_SIZE
    if (factor === FACTORS) return sign * size
    return (isCoded ? sign : 1) * (state[factor]! + noise * random.normal())
  })
}

const normals = (random: Random): readonly number[] => Array.from({ length: FACTORS }, random.normal)

const unitVector = (random: Random): readonly number[] => {
  const values = normals(random)
  const length = Math.sqrt(dot(values, values))
  return values.map((value) => value / length)
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
