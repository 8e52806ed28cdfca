import { expect, test } from 'vitest'
import { audibleProbability, callRate, noiseDb, normalCdf, seenProbability } from './catching.ts'
import { presenceProbability } from './presence.ts'
import { LABELS, SPECIES } from './species.ts'
import { isNight } from './station.ts'
import { makeTruth } from './truth.ts'
import { DEFAULT_START_MS } from './valley-options.ts'

const HOURS = 24 * 60
const source = makeTruth({ seed: 5, stations: 3, startMs: DEFAULT_START_MS })
const truths = source.stations.flatMap((station) =>
  Array.from({ length: HOURS }, (_, hour) => source.at(station, hour)),
)
const share = (holds: (truth: (typeof truths)[number]) => boolean) => truths.filter(holds).length / truths.length

/** Five standard errors of a sum of independent events with these probabilities. */
const expectCount = (count: number, probabilities: readonly number[]): void => {
  const mean = probabilities.reduce((sum, p) => sum + p, 0)
  const deviation = Math.sqrt(probabilities.reduce((sum, p) => sum + p * (1 - p), 0))
  expect(Math.abs(count - mean)).toBeLessThan(5 * deviation + 1e-9)
}

test.each(SPECIES)('$id is there as often as its niches say, neither never nor always', (species) => {
  const present = truths.filter((truth) => truth.present.includes(species.id))
  expectCount(
    present.length,
    truths.map(({ station, moment, weather }) => presenceProbability(species, station, moment, weather)),
  )
  expect(present.length / truths.length).toBeGreaterThan(0.08)
  expect(present.length / truths.length).toBeLessThan(0.5)
})

test('no animal calls or is seen where it is not, and mimics sound everywhere', () => {
  for (const { present, caught } of truths) {
    for (const call of caught.calls) expect(present).toContain(call.species)
    for (const id of caught.seen) expect(present).toContain(id)
  }
  expect(truths.some(({ present, caught }) => caught.mimics.some(({ species }) => !present.includes(species)))).toBe(
    true,
  )
})

test.each(SPECIES)('$id is heard and seen, while there, at the stated rates', (species) => {
  const there = truths.filter((truth) => truth.present.includes(species.id))
  const heard = there.filter(({ caught }) => caught.calls.some((call) => call.species === species.id))
  const rates = there.map(({ weather }) => callRate(species, weather) * audibleProbability(species, noiseDb(weather)))
  expectCount(
    heard.length,
    rates.map((rate) => 1 - Math.exp(-rate)),
  )
  expectCount(
    there.filter(({ caught }) => caught.seen.includes(species.id)).length,
    there.map(({ moment }) => seenProbability(species, isNight(moment))),
  )
})

test('presence and catch are separate: most species are there unheard and unseen at times', () => {
  for (const id of LABELS) {
    expect(
      share(
        ({ present, caught }) =>
          present.includes(id) && !caught.seen.includes(id) && !caught.calls.some(({ species }) => species === id),
      ),
    ).toBeGreaterThan(0.01)
  }
})

test('wind and rain drown calls', () => {
  const owl = SPECIES[0]!
  const calm = { airTemperatureC: 8, windSpeedMs: 1, rainMm: 0, rainOfDayMm: 0 }
  expect(noiseDb(calm)).toBe(0)
  expect(audibleProbability(owl, noiseDb({ ...calm, windSpeedMs: 9 }))).toBeLessThan(
    0.7 * audibleProbability(owl, noiseDb(calm)),
  )
  expect(noiseDb({ ...calm, rainMm: 4 })).toBeCloseTo(10, 9)
})

test('an hour is the same whenever it is asked for; another seed is another valley', () => {
  const again = makeTruth({ seed: 5, stations: 3, startMs: DEFAULT_START_MS })
  for (const hour of [900, 3, 44, 3]) {
    expect(again.at(again.stations[1]!, hour)).toEqual(source.at(source.stations[1]!, hour))
  }
  const other = makeTruth({ seed: 6, stations: 3, startMs: DEFAULT_START_MS })
  expect(other.stations[0]!.latitude).not.toBe(source.stations[0]!.latitude)
  // A station is the same in a valley of any size.
  const more = makeTruth({ seed: 5, stations: 50, startMs: DEFAULT_START_MS })
  expect(more.at(more.stations[2]!, 17)).toEqual(source.at(source.stations[2]!, 17))
  expect(new Set(more.stations.map(({ node }) => node)).size).toBe(50)
})

test('the normal distribution function', () => {
  const check = (x: number, expected: number) => expect(normalCdf(x)).toBeCloseTo(expected, 6)
  check(0, 0.5)
  check(1, 0.8413447)
  check(-1.96, 0.0249979)
  check(5, 0.9999997)
})
