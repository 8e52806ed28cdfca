import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import type { RawExample, RawSet } from '#cloud/dataset/raw-set.ts'
import { restrict } from '#cloud/model/subset.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import { sensorMessageSchema } from '#shared/wire/sensor-message.ts'
import { keepsTime, messagesOf, planRounds } from './plan.ts'
import { chainSubsets, defaultPartial, parsePartial } from './subsets.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.UTC(2026, 4, 14, 5, 30)

const value = fc.option(fc.integer({ min: -20, max: 20 }))
const siteArbitrary = fc.record({
  climate: fc.option(fc.record({ a: value, b: value, c: value, d: value }), { freq: 5 }),
  soil: fc.record({ x: value, y: value }),
  pixels: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { freq: 3 }),
  hour: fc.integer({ min: 300_000, max: 400_000 }),
})
type Site = typeof siteArbitrary extends fc.Arbitrary<infer T> ? T : never

const rawOf = (sites: readonly Site[], withPlace: boolean): RawSet => ({
  templates: [
    { kind: 'tabular', name: 'climate', variables: ['a', 'b', 'c', 'd'].map((name) => ({ type: 'number', name })) },
    { kind: 'tabular', name: 'soil', variables: ['x', 'y'].map((name) => ({ type: 'number', name })) },
    { kind: 'image', name: 'photo', width: 4, height: 4, channels: 1, patch: 2 },
    ...(withPlace ? [{ kind: 'location' as const, name: 'place', parts: ['position', 'season'] as const }] : []),
  ],
  labels: [{ name: 'owl', taxonId: null }],
  examples: sites.map(({ climate, soil, pixels, hour }, i): RawExample => {
    const contents: readonly (readonly [string, ReadingContent | null])[] = [
      ['climate', climate && { kind: 'scalars', values: climate }],
      ['soil', { kind: 'scalars', values: soil }],
      ['photo', pixels && { kind: 'image', width: 4, height: 4, channels: 1, pixels }],
      ['place', withPlace ? { kind: 'location', latitude: i, longitude: -i, elevationM: null } : null],
    ]
    const readings = contents.flatMap(([modality, content]) =>
      content === null
        ? []
        : [{ id: `${i}:${modality}` as RawExample['readings'][number]['id'], modality, content, observedAtMs: null }],
    )
    const window = { startMs: hour * HOUR_MS, endMs: (hour + 1) * HOUR_MS }
    return { id: `site ${i}`, readings, window, part: 'test', labels: Float32Array.of(i % 2) }
  }),
})

const planned = (sites: readonly Site[], seed: number, withPlace: boolean) => {
  const raw = rawOf(sites, withPlace)
  const set = buildTrainingSet(raw)
  const subsets = chainSubsets(set.layout, defaultPartial(raw), { quick: false })
  const rounds = planRounds({
    examples: raw.examples,
    layout: set.layout,
    subsets,
    seed,
    nowMs: NOW_MS,
    keepsTime: keepsTime(raw),
  })
  return { raw, set, subsets, rounds }
}

const sitesArbitrary = fc.array(siteArbitrary, { minLength: 1, maxLength: 6 })

test('each site shows each subset once, and what it sends is what the subset shows', () => {
  fc.assert(
    fc.property(sitesArbitrary, fc.integer(), fc.boolean(), (sites, seed, withPlace) => {
      const { raw, set, subsets, rounds } = planned(sites, seed, withPlace)
      expect(rounds.map((round) => round.map((it) => it.site))).toEqual(subsets.map(() => sites.map((_, i) => i)))
      const shown = rounds.flat().map(({ site, subset }) => `${site}/${subset}`)
      expect(new Set(shown).size).toBe(sites.length * subsets.length)
      expect(new Set(rounds.flat().map((it) => it.observation)).size).toBe(shown.length)
      for (const { site, subset, readings, window } of rounds.flat()) {
        const expected = restrict(set.test!.rows[site]!, subsets[subset]!)
        const sent = tokenize(set.specs, set.layout, readings, window)
        expect(sent.hidden).toEqual(expected.hidden)
        for (const [s, { offset, block }] of set.layout.slots.entries()) {
          if (sent.hidden[s] === 1) continue
          const end = offset + set.layout.blocks[block]!.features
          expect(sent.features.subarray(offset, end)).toEqual(expected.features.subarray(offset, end))
        }
        if (withPlace) expect(window).toEqual(raw.examples[site]!.window)
      }
    }),
    { numRuns: 60 },
  )
})

test('rounds are hours that are over; the order is the seed’s', () => {
  const sites = fc.sample(sitesArbitrary, { numRuns: 1, seed: 3 })[0]!
  const { rounds, subsets } = planned(sites, 7, false)
  const starts = rounds.map((round) => new Set(round.map((it) => it.window.startMs)))
  const last = Date.UTC(2026, 4, 14, 4)
  expect(starts).toEqual(subsets.map((_, i) => new Set([last - (subsets.length - 1 - i) * HOUR_MS])))
  expect(planned(sites, 7, false).rounds).toEqual(rounds)
  expect(planned(sites, 8, false).rounds).not.toEqual(rounds)
})

test('each reading is one message of its own, with an id of its own, within its hour', () => {
  fc.assert(
    fc.property(sitesArbitrary, fc.integer(), fc.boolean(), (sites, seed, withPlace) => {
      const { rounds, set } = planned(sites, seed, withPlace)
      const messages = rounds.flatMap((round, r) => messagesOf(r, round, { layout: set.layout, seed }))
      const readings = rounds.flat().flatMap((it) => it.readings.map(({ modality }) => `${it.observation} ${modality}`))
      const told = messages.map(({ message, sensor }) => {
        expect(sensorMessageSchema.parse(message)).toEqual(message)
        expect(sensor).toMatch(/^sensor-\d$/)
        const startMs = Math.floor(Date.parse(message.observed_at!) / HOUR_MS) * HOUR_MS
        return `${message.deployment}/${startMs} ${message.modality}`
      })
      expect(told.sort()).toEqual(readings.sort())
      expect(new Set(messages.map(({ message }) => message.id)).size).toBe(messages.length)
      expect(messages.every(({ message }) => /^[\w.:@-]{1,128}$/.test(message.deployment!))).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a thermometer alone, and with a rain gauge', () => {
  const variables = (names: string[]) => names.map((name) => ({ type: 'number' as const, name }))
  expect(
    defaultPartial({
      templates: [
        { kind: 'tabular', name: 'cover', variables: variables(['bcc', 'ccc']) },
        { kind: 'tabular', name: 'climate', variables: variables(['ddeg', 'pday', 'precyy', 'sfroyy']) },
      ],
    }),
  ).toEqual([{ slots: ['climate.ddeg'] }, { slots: ['climate.ddeg', 'climate.precyy'] }])
  expect(defaultPartial({ templates: [] })).toEqual([])
  expect(parsePartial('a.x+a.y')).toEqual({ slots: ['a.x', 'a.y'] })
})
