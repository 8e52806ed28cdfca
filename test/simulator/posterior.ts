/**
 * The probability that a species is there, given what a subset of the sensors could at best reveal.
 * Modalities are taken at the level of the model's own quantities, which is more than any file tells:
 *
 *   location        the station, the hour and the day
 *   weather         temperature, uncut humidity, wind and the front of this hour
 *   weather-series  temperature and front of the last 24 hours
 *   audio           wind and front (as noise), and the number of audible calls or mimics of each species
 *   camera          day or night, and the set of species in the picture
 *
 * Presences are independent given the context c = (place, time, front, temperature, wind), hence
 *   p(e | c) = p(e_weather | c) Π_s [(1 − π_s) q_s(0) + π_s q_s(1)],   q_s(y) = p(e_audio,s | y, c) p(e_camera,s | y, c)
 *   P(y_s = 1 | e) = Σ_c p(e | c) · π_s q_s(1) / [(1 − π_s) q_s(0) + π_s q_s(1)]  /  Σ_c p(e | c)
 * with c (including the rain of the day) drawn from the prior, then overwritten by what e reveals exactly and weighted by its density.
 */

import { audibleProbability, callRate, noiseDb, seenProbability } from './catching.ts'
import { type Air, airLogit, placeTimeLogit, sigmoid } from './presence.ts'
import { SPECIES } from './species.ts'
import { isNight, type Moment, type Station } from './station.ts'
import {
  humidityOf,
  logWindOf,
  PERSISTENCE,
  rainOf,
  rainOfDay,
  SERIES_HOURS,
  SPREAD,
  temperatureOf,
  type Weather,
  type WeatherMeans,
} from './weather.ts'

export const MODALITIES = ['weather', 'weather-series', 'audio', 'camera', 'location'] as const
export type Modality = (typeof MODALITIES)[number]

/** One possible context: place and time from the prior, with draws for the weather it doesn't know. */
export type Particle = {
  readonly means: WeatherMeans
  /** Means of this hour and the 23 before it, oldest first. */
  readonly dayOfMeans: readonly WeatherMeans[]
  readonly night: boolean
  /** By species. */
  readonly placeTimeLogits: readonly number[]
  /** Standard normal: this hour's front where nothing reveals it, then the innovations of the 23 hours before. */
  readonly frontDraws: readonly number[]
  readonly temperatureDraw: number
  readonly windDraw: number
}

/** What the sensors of one station-hour reveal at best. */
export type LatentEvidence = {
  readonly weather: Weather
  /** Oldest first, this hour last. */
  readonly dayOfWeather: readonly Weather[]
  readonly night: boolean
  /** Audible calls and mimics by species. */
  readonly heard: readonly number[]
  readonly seen: readonly boolean[]
}

export const makeParticle = (
  place: { readonly station: Station; readonly moment: Moment; readonly dayOfMeans: readonly WeatherMeans[] },
  normal: () => number,
): Particle => ({
  means: place.dayOfMeans.at(-1)!,
  dayOfMeans: place.dayOfMeans,
  night: isNight(place.moment),
  placeTimeLogits: SPECIES.map((species) => placeTimeLogit(species, place.station, place.moment)),
  frontDraws: Array.from({ length: SERIES_HOURS }, normal),
  temperatureDraw: normal(),
  windDraw: normal(),
})

type Known = ReadonlySet<Modality>

/** −½ Σ of squared innovations: the log density of an autoregression of unit variance, constants left out. */
const pathLogDensity = (z: readonly number[], persistence: number): number => {
  let total = -0.5 * z[0]! ** 2
  const variance = 1 - persistence ** 2
  for (let i = 1; i < z.length; i++) total -= (0.5 * (z[i]! - persistence * z[i - 1]!) ** 2) / variance
  return total
}

const temperatureZ = (means: WeatherMeans, weather: Weather): number =>
  (weather.airTemperatureC - temperatureOf(means, weather.front, 0)) / SPREAD.temperature

const weatherLogDensity = (particle: Particle, evidence: LatentEvidence, known: Known): number => {
  const { weather, dayOfWeather } = evidence
  let total = 0
  if (known.has('weather-series')) {
    const z = dayOfWeather.map((hour, i) => temperatureZ(particle.dayOfMeans[i]!, hour))
    total += pathLogDensity(z, PERSISTENCE.temperature)
  } else if (known.has('weather')) total -= 0.5 * temperatureZ(particle.means, weather) ** 2
  if (known.has('weather')) {
    total -= 0.5 * ((weather.rawHumidity - humidityOf(particle.means, weather.front, 0)) / SPREAD.humidity) ** 2
  }
  if (known.has('weather') || known.has('audio')) {
    const z = (Math.log(weather.windSpeedMs) - logWindOf(particle.means, weather.front, 0)) / SPREAD.logWind
    total -= 0.5 * z ** 2
  }
  return total
}

/** A stationary autoregression runs backwards as it runs forwards, so the past is drawn from the present. */
const frontsUpTo = (front: number, draws: readonly number[]): readonly number[] => {
  const fronts = [front]
  const innovation = Math.sqrt(1 - PERSISTENCE.front ** 2)
  for (let back = 1; back < draws.length; back++) {
    fronts.push(PERSISTENCE.front * fronts[back - 1]! + innovation * draws[back]!)
  }
  return fronts
}

const airOf = (particle: Particle, { weather }: LatentEvidence, known: Known): Air => {
  const front = ['weather', 'weather-series', 'audio'].some((name) => known.has(name as Modality))
    ? weather.front
    : particle.frontDraws[0]!
  return {
    rainMm: rainOf(front),
    rainOfDayMm: known.has('weather-series') ? weather.rainOfDayMm : rainOfDay(frontsUpTo(front, particle.frontDraws)),
    airTemperatureC:
      known.has('weather') || known.has('weather-series')
        ? weather.airTemperatureC
        : temperatureOf(particle.means, front, particle.temperatureDraw),
    windSpeedMs:
      known.has('weather') || known.has('audio')
        ? weather.windSpeedMs
        : Math.exp(logWindOf(particle.means, front, particle.windDraw)),
  }
}

/** Log of the Poisson probability without its count!, which is the same for every context. */
const countLogLikelihood = (count: number, mean: number): number =>
  mean > 0 ? count * Math.log(mean) - mean : count === 0 ? 0 : Number.NEGATIVE_INFINITY

type SpeciesView = { readonly logEvidence: number; readonly posterior: number }

const viewSpecies = (s: number, particle: Particle, air: Air, evidence: LatentEvidence, known: Known): SpeciesView => {
  const species = SPECIES[s]!
  const prior = sigmoid(particle.placeTimeLogits[s]! + airLogit(species, air))
  let absent = 0
  let present = 0
  if (known.has('audio')) {
    const audible = audibleProbability(species, noiseDb(air))
    const mimics = species.mimicsPerRecording * audible
    absent += countLogLikelihood(evidence.heard[s]!, mimics)
    present += countLogLikelihood(evidence.heard[s]!, mimics + callRate(species, air) * audible)
  }
  if (known.has('camera')) {
    const seen = seenProbability(species, particle.night)
    absent += evidence.seen[s] ? Number.NEGATIVE_INFINITY : 0
    present += Math.log(evidence.seen[s] ? seen : 1 - seen)
  }
  const top = Math.max(absent, present)
  const total = (1 - prior) * Math.exp(absent - top) + prior * Math.exp(present - top)
  return { logEvidence: top + Math.log(total), posterior: (prior * Math.exp(present - top)) / total }
}

/** P(present | evidence of the known modalities) by species; particles as described above. */
export const posteriorOf = (
  particles: readonly Particle[],
  evidence: LatentEvidence,
  known: Known,
): readonly number[] => {
  const possible = known.has('camera') ? particles.filter(({ night }) => night === evidence.night) : particles
  const views = possible.map((particle) => {
    const air = airOf(particle, evidence, known)
    const bySpecies = SPECIES.map((_, s) => viewSpecies(s, particle, air, evidence, known))
    const logEvidence = bySpecies.reduce((sum, view) => sum + view.logEvidence, 0)
    return { logWeight: logEvidence + weatherLogDensity(particle, evidence, known), bySpecies }
  })
  const top = views.reduce((largest, { logWeight }) => Math.max(largest, logWeight), Number.NEGATIVE_INFINITY)
  const sums = SPECIES.map(() => 0)
  let total = 0
  for (const { logWeight, bySpecies } of views) {
    const weight = Math.exp(logWeight - top)
    total += weight
    bySpecies.forEach(({ posterior }, s) => {
      sums[s]! += weight * posterior
    })
  }
  return sums.map((sum) => sum / total)
}
