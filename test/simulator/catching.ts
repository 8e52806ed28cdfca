/**
 * The second layer: what the recorder and the camera catch of what is there. Calls and look-alike
 * sounds arrive as Poisson counts, thinned by noise; a picture holds an animal with the species' own
 * probability. The rates are functions of their own, since the best possible score is computed from them.
 */
import type { Random } from '#shared/std/random.ts'
import type { Air } from './presence.ts'
import type { Species } from './species.ts'

/** Spread of a call's level at the microphone, dB: animals call from near and far. */
const LEVEL_SPREAD_DB = 6
/** A call this close to the noise or below never gets into the recording. */
const AUDIBLE_ABOVE_NOISE_DB = 3

export type Sound = {
  readonly species: string
  readonly levelDb: number
  /** Share of the recording that has passed when it begins. */
  readonly startShare: number
}

export type Caught = {
  /** Wind and rain at the microphone, dB above its quiet floor. */
  readonly noiseDb: number
  readonly calls: readonly Sound[]
  /** Sounds that resemble a species' call although no animal made them. */
  readonly mimics: readonly Sound[]
  /** Ids of the species in the picture. */
  readonly seen: readonly string[]
}

export const noiseDb = (air: Air): number =>
  Math.min(30, 1.6 * Math.max(air.windSpeedMs - 1, 0) + 5 * Math.sqrt(air.rainMm))

/** Mean number of calls in a recording while the species is there, audible or not. */
export const callRate = (species: Species, air: Air): number =>
  species.callsPerRecording * Math.exp(-0.15 * Math.min(air.rainMm, 6) * (species.rainEffect < 0 ? 1 : 0))

/** Probability that a sound of this species stands out from the noise. */
export const audibleProbability = (species: Species, noise: number): number =>
  species.call === null ? 0 : normalCdf((species.call.levelDb - noise - AUDIBLE_ABOVE_NOISE_DB) / LEVEL_SPREAD_DB)

/** Probability that the picture of the hour holds the species while it is there. */
export const seenProbability = (species: Species, night: boolean): number =>
  species.passesCamera * (night ? species.nightCameraFactor : 1)

const poisson = (random: Random, mean: number): number => {
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++
  return count
}

const sounds = (random: Random, species: Species, mean: number, noise: number): readonly Sound[] => {
  const { call } = species
  if (call === null || mean === 0) return []
  return Array.from({ length: poisson(random, mean) }, () => ({
    species: species.id,
    levelDb: call.levelDb + LEVEL_SPREAD_DB * random.normal(),
    startShare: random.uniform(),
  })).filter((sound) => sound.levelDb - noise > AUDIBLE_ABOVE_NOISE_DB)
}

export const drawCaught = (
  random: Random,
  air: Air,
  night: boolean,
  community: readonly { readonly species: Species; readonly isPresent: boolean }[],
): Caught => {
  const noise = noiseDb(air)
  const present = community.filter(({ isPresent }) => isPresent).map(({ species }) => species)
  return {
    noiseDb: noise,
    calls: present.flatMap((species) => sounds(random, species, callRate(species, air), noise)),
    mimics: community.flatMap(({ species }) => sounds(random, species, species.mimicsPerRecording, noise)),
    seen: present.filter((species) => random.uniform() < seenProbability(species, night)).map((species) => species.id),
  }
}

/** Φ, by the approximation 26.2.17 of Abramowitz and Stegun (error below 7.5e-8). */
export const normalCdf = (x: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail =
    (Math.exp(-x * x * 0.5) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return x >= 0 ? 1 - tail : tail
}
