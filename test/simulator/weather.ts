/**
 * Weather as a correlated process: first-order autoregressions around daily and seasonal means.
 *
 *   z_t = φ z_{t−1} + √(1 − φ²) ε_t,  ε ~ N(0, 1),  so z is N(0, 1) at every hour
 *   T   = T̄(place, hour, day) − 2.5 max(f, 0) + 2.5 z_T           air temperature, °C
 *   U   = Ū(place, hour) + 9 max(f, 0) + 6 z_U                    relative humidity, %, then cut to 15…100
 *   v   = exp(v̄(place, hour) + 0.45 max(f, 0) + 0.45 z_v)         wind, m/s
 *   R   = 3 max(f − 0.9, 0)^1.5                                   rain of the hour, mm
 *   p   = 1014 − 7 f + 3 z_p                                      pressure reduced to sea level, hPa
 *
 * f is the front that crosses the whole valley; z_T, z_U and z_v are part regional, part local with one
 * φ, so that a station's sum is again an autoregression of that φ and its likelihood is exact (bound.ts).
 */
import { type Random, randomStream } from '#shared/std/random.ts'
import type { Moment, Station } from './station.ts'

export type Weather = {
  readonly airTemperatureC: number
  readonly relativeHumidity: number
  /** Before the cut to what a hygrometer can show; only the likelihoods use it. */
  readonly rawHumidity: number
  readonly windSpeedMs: number
  readonly rainMm: number
  /** Rain of this hour and the 23 before it. */
  readonly rainOfDayMm: number
  readonly pressureHpa: number
  /** The front f; hidden from sensors, and above 0.9 it rains. */
  readonly front: number
}

export const SPREAD = { temperature: 2.5, humidity: 6, logWind: 0.45 } as const
export const PERSISTENCE = { front: 0.95, temperature: 0.95, humidity: 0.9, wind: 0.8, pressure: 0.98 } as const
const RAIN_FROM = 0.9
/** Share of the variance that all stations have in common. */
const REGIONAL = 0.7
/** Steps of the hourly series, this hour included. */
export const SERIES_HOURS = 24
/** Hours of weather before the first hour: its series reaches a day back, and that day's first hour knows its own day. */
const LEAD_HOURS = 2 * SERIES_HOURS

export type WeatherMeans = { readonly temperature: number; readonly humidity: number; readonly logWind: number }

const cycle = (value: number, peak: number, period: number): number => Math.cos((2 * Math.PI * (value - peak)) / period)

/** Means of a dry hour at this place and time; rain and fronts come on top. */
export const weatherMeans = (station: Station, moment: Moment): WeatherMeans => ({
  temperature:
    13 -
    0.006 * (station.elevationM - 500) +
    8.5 * cycle(moment.dayOfYear, 200, 365) +
    4.5 * cycle(moment.solarHour, 15, 24),
  humidity: 66 - 10 * cycle(moment.solarHour, 15, 24) + (station.habitat === 'wetland' ? 6 : 0),
  logWind: Math.log(2.2) + 0.25 * cycle(moment.solarHour, 14, 24) + station.windExposure,
})

export const temperatureOf = (means: WeatherMeans, front: number, z: number): number =>
  means.temperature - 2.5 * Math.max(front, 0) + SPREAD.temperature * z
export const humidityOf = (means: WeatherMeans, front: number, z: number): number =>
  means.humidity + 9 * Math.max(front, 0) + SPREAD.humidity * z
export const logWindOf = (means: WeatherMeans, front: number, z: number): number =>
  means.logWind + 0.45 * Math.max(front, 0) + SPREAD.logWind * z
/** Rain of the hours with these fronts. */
export const rainOfDay = (fronts: readonly number[]): number => fronts.reduce((sum, front) => sum + rainOf(front), 0)
export const rainOf = (front: number): number => 3 * Math.max(front - RAIN_FROM, 0) ** 1.5

/** An autoregression that is drawn once, in order, and kept: hour i is the same however it is asked for. */
const path = (random: Random, persistence: number): ((step: number) => number) => {
  const values: number[] = [random.normal()]
  const innovation = Math.sqrt(1 - persistence ** 2)
  return (step) => {
    while (values.length <= step) values.push(persistence * values.at(-1)! + innovation * random.normal())
    return values[step]!
  }
}

export type WeatherSource = (station: Station, hour: number, moment: Moment) => Weather

/** The weather of one seed. Hours count from the valley's first; −SERIES_HOURS is the earliest. */
export const makeWeather = (seed: number): WeatherSource => {
  const paths = new Map<string, (step: number) => number>()
  const at = (name: string, persistence: number, hour: number): number => {
    let values = paths.get(name)
    if (values === undefined) {
      values = path(randomStream(seed, `weather/${name}`), persistence)
      paths.set(name, values)
    }
    return values(hour + LEAD_HOURS)
  }
  const mixed = (name: string, persistence: number, station: Station, hour: number): number =>
    Math.sqrt(REGIONAL) * at(name, persistence, hour) +
    Math.sqrt(1 - REGIONAL) * at(`${name}/${station.index}`, persistence, hour)
  return (station, hour, moment) => {
    const means = weatherMeans(station, moment)
    const front = at('front', PERSISTENCE.front, hour)
    const rawHumidity = humidityOf(means, front, mixed('humidity', PERSISTENCE.humidity, station, hour))
    return {
      airTemperatureC: temperatureOf(means, front, mixed('temperature', PERSISTENCE.temperature, station, hour)),
      relativeHumidity: Math.min(100, Math.max(15, rawHumidity)),
      rawHumidity,
      windSpeedMs: Math.exp(logWindOf(means, front, mixed('wind', PERSISTENCE.wind, station, hour))),
      rainMm: rainOf(front),
      rainOfDayMm: rainOfDay(
        Array.from({ length: SERIES_HOURS }, (_, back) => at('front', PERSISTENCE.front, hour - back)),
      ),
      pressureHpa: 1014 - 7 * front + 3 * at('pressure', PERSISTENCE.pressure, hour),
      front,
    }
  }
}
