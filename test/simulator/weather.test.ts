import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { HOUR_MS, makeStation, momentAt } from './station.ts'
import { DEFAULT_START_MS } from './valley-options.ts'
import { humidityOf, logWindOf, makeWeather, SPREAD, temperatureOf, weatherMeans } from './weather.ts'

const SEED = 11
const HOURS = 24 * 120
const station = makeStation(SEED, 0)
const weather = makeWeather(SEED)
const hours = Array.from({ length: HOURS }, (_, hour) => {
  const moment = momentAt(station, DEFAULT_START_MS + hour * HOUR_MS)
  return { moment, means: weatherMeans(station, moment), weather: weather(station, hour, moment) }
})
const residuals = hours.map(
  ({ means, weather: w }) => (w.airTemperatureC - temperatureOf(means, w.front, 0)) / SPREAD.temperature,
)
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

test('residuals are an autoregression of unit variance', () => {
  // With φ = 0.95 the effective sample is n (1 − φ)/(1 + φ) ≈ 74, so the bounds are some four standard errors wide.
  expect(Math.abs(mean(residuals))).toBeLessThan(0.5)
  const variance = mean(residuals.map((z) => z * z)) - mean(residuals) ** 2
  expect(variance).toBeGreaterThan(0.4)
  expect(variance).toBeLessThan(1.8)
  const innovations = residuals.slice(1).map((z, i) => (z - 0.95 * residuals[i]!) / Math.sqrt(1 - 0.95 ** 2))
  expect(Math.abs(mean(innovations.map((e) => e * e)) - 1)).toBeLessThan(5 * Math.sqrt(2 / HOURS))
  const lagOne = mean(innovations.slice(1).map((e, i) => e * innovations[i]!))
  expect(Math.abs(lagOne)).toBeLessThan(5 / Math.sqrt(HOURS))
})

test('the logarithm of the wind and the uncut humidity are what the formulas say', () => {
  const windZ = hours.map(({ means, weather: w }) => (Math.log(w.windSpeedMs) - logWindOf(means, w.front, 0)) / 0.45)
  expect(Math.abs(mean(windZ.map((z) => z * z)) - 1)).toBeLessThan(0.3)
  const humidZ = hours.map(({ means, weather: w }) => (w.rawHumidity - humidityOf(means, w.front, 0)) / SPREAD.humidity)
  expect(Math.abs(mean(humidZ.map((z) => z * z)) - 1)).toBeLessThan(0.5)
})

test('afternoons are warmer than nights, July than April, and values stay possible', () => {
  const at = (holds: (solarHour: number, day: number) => boolean) =>
    mean(hours.filter(({ moment: m }) => holds(m.solarHour, m.dayOfYear)).map(({ weather: w }) => w.airTemperatureC))
  expect(at((hour) => hour > 13 && hour < 17)).toBeGreaterThan(at((hour) => hour > 1 && hour < 5) + 5)
  expect(at((_, day) => day > 190)).toBeGreaterThan(at((_, day) => day < 110) + 4)
  for (const { weather: w } of hours) {
    expect(w.relativeHumidity).toBeGreaterThanOrEqual(15)
    expect(w.relativeHumidity).toBeLessThanOrEqual(100)
    expect(Math.abs(w.airTemperatureC)).toBeLessThan(50)
    expect(w.rainMm).toBeGreaterThanOrEqual(0)
    expect(w.rainMm).toBeLessThan(40)
    expect(w.pressureHpa).toBeGreaterThan(950)
    expect(w.pressureHpa).toBeLessThan(1070)
  }
})

test('it rains in some hours, and the rain of a day is the sum of its hours', () => {
  const share = hours.filter(({ weather: w }) => w.rainMm > 0).length / HOURS
  expect(share).toBeGreaterThan(0.05)
  expect(share).toBeLessThan(0.4)
  for (const end of [23, 100, 2000]) {
    const sum = hours.slice(end - 23, end + 1).reduce((total, { weather: w }) => total + w.rainMm, 0)
    expect(hours[end]!.weather.rainOfDayMm).toBeCloseTo(sum, 9)
  }
})

test('an hour has the same weather in whatever order hours are asked for', () => {
  const again = makeWeather(SEED)
  const order = randomStream(1, 'order').shuffle(Array.from({ length: 200 }, (_, i) => i * 7))
  for (const hour of order) expect(again(station, hour, hours[hour]!.moment)).toEqual(hours[hour]!.weather)
})
