import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadingId } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { arbitraryReadings, arbitrarySpecs } from '#test/support/arbitrary-readings.ts'
import { evidenceOf } from './evidence.ts'
import type { TokenSet } from './layout.ts'
import { layoutOf } from './layout-of.ts'
import { type TokenReading, tokenize } from './tokenize.ts'

const HOUR = { startMs: 1_750_000_000_000, endMs: 1_750_003_600_000 }

const tokensOf = (specs: readonly ModalitySpec[], readings: readonly TokenReading[]): TokenSet =>
  tokenize(specs, layoutOf(specs), readings, HOUR)

const observed = arbitrarySpecs.chain((specs) =>
  fc.record({ specs: fc.constant(specs), readings: arbitraryReadings(specs) }),
)

test('the order of arrival never matters', () => {
  fc.assert(
    fc.property(observed, fc.func(fc.nat()), ({ specs, readings }, rank) => {
      const shuffled = [...readings].sort((a, b) => rank(a.id) - rank(b.id))
      expect(tokensOf(specs, shuffled)).toEqual(tokensOf(specs, readings))
      expect(tokensOf(specs, readings.toReversed())).toEqual(tokensOf(specs, readings))
    }),
    { numRuns: 300 },
  )
})

test('hidden tokens are zeros, visible ones finite, and both are counted as evidence', () => {
  fc.assert(
    fc.property(observed, ({ specs, readings }) => {
      const layout = layoutOf(specs)
      const tokens = tokensOf(specs, readings)
      const visible = layout.modalities.map(() => 0)
      for (const [i, { offset, block, modality }] of layout.slots.entries()) {
        const features = tokens.features.subarray(offset, offset + layout.blocks[block]!.features)
        expect(features.every(tokens.hidden[i] === 1 ? (x) => x === 0 : Number.isFinite)).toBe(true)
        if (tokens.hidden[i] === 0) visible[modality]!++
      }
      const evidence = evidenceOf(layout, tokens)
      expect(Object.keys(evidence)).toEqual(layout.modalities)
      for (const [m, name] of layout.modalities.entries()) {
        const totalTokens = layout.slots.filter(({ modality }) => modality === m).length
        expect(evidence[name]).toEqual({ visibleTokens: visible[m], totalTokens })
      }
    }),
    { numRuns: 300 },
  )
})

test('slots tile the features in order, their blocks fit them, and names differ', () => {
  fc.assert(
    fc.property(arbitrarySpecs, (specs) => {
      const { slots, blocks, modalities, featureCount } = layoutOf(specs)
      let end = 0
      for (const slot of slots) {
        expect(slot.offset).toBe(end)
        expect(slot.group).toBeLessThan(blocks[slot.block]!.groups)
        expect(slot.name.startsWith(modalities[slot.modality]!)).toBe(true)
        end += blocks[slot.block]!.features
      }
      expect(featureCount).toBe(end)
      expect(slots.map(({ modality }) => modality)).toEqual(slots.map(({ modality }) => modality).sort())
      expect(new Set(slots.map(({ name }) => name)).size).toBe(slots.length)
      expect(new Set(blocks.map(({ name }) => name)).size).toBe(blocks.length)
      for (const [b, { groups }] of blocks.entries()) {
        const used = new Set(slots.filter(({ block }) => block === b).map(({ group }) => group))
        expect(used.size).toBe(groups)
      }
    }),
    { numRuns: 200 },
  )
})

/** Replaces what no token may show: everything here is missing, unusable or belongs to nobody. */
const disturbed = (spec: ModalitySpec, content: ReadingContent, junk: () => number): ReadingContent => {
  const isMissing = (value: unknown) => typeof value !== 'number' || !(Math.abs(value) <= 1e10)
  switch (content.kind) {
    case 'scalars': {
      const entries = Object.entries(content.values).map(([name, value]) => {
        const variable = spec.kind === 'tabular' && spec.variables.find((candidate) => candidate.name === name)
        if (!variable) return [name, junk()] as const
        if (isMissing(value)) return [name, [null, Number.NaN, Infinity, 2e10][junk() % 4]!] as const
        const isUnknown = variable.type === 'category' && !variable.categories.includes(value!)
        return [name, isUnknown ? 1000 + junk() : value] as const
      })
      return { ...content, values: Object.fromEntries(entries) }
    }
    case 'series': {
      if (spec.kind !== 'series') return { ...content, stepMs: 1 + junk() }
      if (content.stepMs !== spec.stepMs) return { ...content, variables: { a: [junk()], b: [junk()] } }
      const span = spec.stepsPerPeriod
      const entries = Object.entries(content.variables).map(([name, values]) => {
        const changed = values.map((value, i) => {
          const back = values.length - 1 - i
          const from = values.length - span * (1 + Math.floor(back / span))
          const token = values.slice(Math.max(0, from), Math.max(0, from + span))
          if (isMissing(value)) return Number.NaN
          const isHidden = from < 0 || back >= span * spec.periods || token.some(isMissing)
          return isHidden ? junk() : value
        })
        return [name, changed]
      })
      return { ...content, variables: Object.fromEntries(entries) }
    }
    case 'image':
      return spec.kind === 'image' && content.width === spec.width
        ? content
        : { ...content, pixels: content.pixels.map(junk) }
    case 'audio': {
      if (spec.kind !== 'audio') return { ...content, levels: content.levels.map(junk) }
      const isUsable = content.frontEnd.lowHz === spec.frontEnd.lowHz
      const shown = Math.min(spec.frames, content.frames - (content.frames % spec.patchFrames)) * spec.frontEnd.bands
      return { ...content, levels: content.levels.map((level, i) => (isUsable && i < shown ? level : junk())) }
    }
    case 'location':
      return spec.kind === 'location' && Math.abs(content.latitude) <= 90
        ? content
        : { ...content, longitude: junk(), elevationM: junk() }
    case 'embedding': {
      const isUsable =
        spec.kind === 'embedding' &&
        content.encoder === spec.encoder &&
        content.vector.length === spec.size &&
        !content.vector.some(isMissing)
      // Something that stays missing keeps the vector unusable.
      return isUsable ? content : { ...content, encoder: 'third', vector: content.vector.map(junk) }
    }
  }
}

test('what is hidden cannot matter: change it and the tokens are equal bit for bit', () => {
  fc.assert(
    fc.property(
      observed,
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      ({ specs, readings }, numbers) => {
        let n = 0
        const junk = () => numbers[n++ % numbers.length]!
        const changed = readings.map((reading) => {
          const spec = specs.find(({ name }) => name === reading.modality)
          return spec ? { ...reading, content: disturbed(spec, reading.content, junk) } : reading
        })
        expect(tokensOf(specs, changed)).toEqual(tokensOf(specs, readings))
      },
    ),
    { numRuns: 500 },
  )
})

test('readings of an unknown modality or of another kind than the spec count as absent', () => {
  const kinds: Readonly<Record<string, string>> = { tabular: 'scalars' }
  fc.assert(
    fc.property(observed, ({ specs, readings }) => {
      const fitting = readings.filter(({ modality, content }) => content.kind === (kinds[modality] ?? modality))
      expect(tokensOf(specs, fitting)).toEqual(tokensOf(specs, readings))
      const unknown = readings.map((reading) => ({ ...reading, modality: 'other' }))
      expect(tokensOf(specs, unknown).hidden.every((value) => value === 1)).toBe(true)
    }),
  )
})

const table: Extract<ModalitySpec, { kind: 'tabular' }> = {
  kind: 'tabular',
  name: 'weather',
  variables: [
    { type: 'number', name: 'airC', mean: 10, deviation: 4 },
    { type: 'category', name: 'cover', categories: [5, 7] },
    { type: 'number', name: 'rainMm', mean: 0, deviation: 2 },
    { type: 'category', name: 'soil', categories: [1, 2, 3] },
  ],
}

let count = 0
const reading = (modality: string, content: ReadingContent, observedAtMs: number | null = 0): TokenReading => ({
  id: `id-${count++}` as ReadingId,
  modality,
  observedAtMs,
  content,
})

/** Tokens by name; hidden ones are left out. */
const shown = (specs: readonly ModalitySpec[], readings: readonly TokenReading[]): Record<string, number[]> => {
  const layout = layoutOf(specs)
  const { features, hidden } = tokensOf(specs, readings)
  const visible = layout.slots.filter((_, i) => hidden[i] === 0)
  return Object.fromEntries(
    visible.map(({ name, offset, block }) => [
      name,
      Array.from(features.subarray(offset, offset + layout.blocks[block]!.features)),
    ]),
  )
}

const weather = (values: Record<string, number | null>, observedAtMs: number | null = 0) =>
  reading('weather', { kind: 'scalars', values }, observedAtMs)

test('tables: numbers are standardized, categories one-hot and padded, the newest value of each variable wins', () => {
  expect(shown([table], [weather({ airC: 12, cover: 7, rainMm: 0, soil: 3 })])).toEqual({
    'weather.airC': [0.5],
    'weather.cover': [0, 1, 0],
    'weather.rainMm': [0],
    'weather.soil': [0, 0, 1],
  })
  const older = weather({ airC: 14, rainMm: 1, cover: 5 }, 1000)
  const newer = weather({ airC: 6, rainMm: null, cover: 6 }, 2000)
  const timeless = weather({ airC: 30, soil: 1 }, null)
  expect(shown([table], [older, timeless, newer])).toEqual({
    'weather.airC': [-1],
    'weather.rainMm': [0.5],
    'weather.soil': [1, 0, 0],
  })
})

test('equal times: the greater id wins, and a value that float32 cannot hold is hidden', () => {
  const [a, b] = [weather({ airC: 2 }, 5), weather({ airC: 18 }, 5)]
  expect(
    shown(
      [table],
      [
        { ...a, id: 'a' as ReadingId },
        { ...b, id: 'b' as ReadingId },
      ],
    ),
  ).toEqual({ 'weather.airC': [2] })
  expect(
    shown(
      [table],
      [
        { ...a, id: 'b' as ReadingId },
        { ...b, id: 'a' as ReadingId },
      ],
    ),
  ).toEqual({ 'weather.airC': [-2] })
  const narrow = { ...table, variables: [{ type: 'number' as const, name: 'airC', mean: 0, deviation: 1e-30 }] }
  expect(shown([narrow], [weather({ airC: 1e9 })])).toEqual({})
  expect(shown([narrow], [weather({ airC: 0 })])).toEqual({ 'weather.airC': [0] })
})

const hourly: Extract<ModalitySpec, { kind: 'series' }> = {
  kind: 'series',
  name: 'hourly',
  stepMs: 3_600_000,
  periods: 3,
  stepsPerPeriod: 2,
  variables: [
    { name: 'airC', mean: 1, deviation: 2 },
    { name: 'rainMm', mean: 0, deviation: 1 },
  ],
}

const run = (variables: Record<string, (number | null)[]>, atMs = 0, stepMs = hourly.stepMs) =>
  reading('hourly', { kind: 'series', stepMs, variables }, atMs)

test('series: the newest step is the last, a token needs all its values, another step hides', () => {
  expect(shown([hourly], [run({ airC: [9, 9, 1, 3, 5, 7, 9, 11], rainMm: [0, null, 2, 3] })])).toEqual({
    'hourly.airC[0]': [0, 1],
    'hourly.airC[1]': [2, 3],
    'hourly.airC[2]': [4, 5],
    'hourly.rainMm[2]': [2, 3],
  })
  expect(shown([hourly], [run({ airC: [1, 2, 3], rainMm: [1] })])).toEqual({ 'hourly.airC[2]': [0.5, 1] })
  expect(shown([hourly], [run({ airC: [1, 3, 5, 7] }, 0, 1000)])).toEqual({})
})

test('series: each variable comes whole from its newest reading with a number of it', () => {
  const readings = [
    run({ airC: [1, 1, 3, 3], rainMm: [4, 4] }, 1000),
    run({ airC: [5, 5], rainMm: [null, null] }, 2000),
    run({ rainMm: [8, 8] }, 3000, 60_000),
  ]
  expect(shown([hourly], readings)).toEqual({ 'hourly.airC[2]': [2, 2], 'hourly.rainMm[2]': [4, 4] })
})

test('images: patches row by row, channels interleaved, scaled by channel', () => {
  const camera: ModalitySpec = {
    kind: 'image',
    name: 'camera',
    width: 4,
    height: 2,
    channels: 3,
    patch: 2,
    mean: [0, 1, 0],
    deviation: [1, 1, 0.5],
  }
  const pixels = Uint8Array.of(
    ...[0, 255, 0, 0, 255, 51, 0, 255, 102, 0, 255, 153],
    ...[51, 255, 0, 51, 204, 51, 51, 255, 102, 102, 255, 153],
  )
  const picture: ReadingContent = { kind: 'image', width: 4, height: 2, channels: 3, pixels }
  const tokens = shown([camera], [reading('camera', picture)])
  const f = Math.fround
  expect(tokens).toEqual({
    'camera[0,0]': [...[0, 0, 0, 0, 0, f(0.4)], ...[f(0.2), 0, 0, f(0.2), f(204 / 255 - 1), f(0.4)]],
    'camera[0,1]': [...[0, 0, f(0.8), 0, 0, f(1.2)], ...[f(0.2), 0, f(0.8), f(0.4), 0, f(1.2)]],
  })
  expect(shown([camera], [reading('camera', { ...picture, width: 2, height: 4 })])).toEqual({})
  expect(shown([camera], [reading('camera', { ...picture, pixels: pixels.subarray(1) })])).toEqual({})
})

test('images: a channel with a name has patches of its own, band by band', () => {
  const satellite: ModalitySpec = {
    kind: 'image',
    name: 'satellite',
    width: 2,
    height: 4,
    channels: 2,
    patch: 2,
    bands: ['red', 'nir'],
    mean: [0, 1],
    deviation: [0.5, 1],
  }
  const pixels = Uint8Array.of(...[0, 255, 51, 204, 102, 255, 153, 0], ...[255, 0, 0, 51, 0, 255, 51, 255])
  const picture: ReadingContent = { kind: 'image', width: 2, height: 4, channels: 2, pixels }
  const f = Math.fround
  expect(shown([satellite], [reading('satellite', picture)])).toEqual({
    'satellite.red[0,0]': [0, f(0.4), f(0.8), f(1.2)],
    'satellite.red[1,0]': [2, 0, 0, f(0.4)],
    'satellite.nir[0,0]': [0, f(0.8 - 1), 0, -1],
    'satellite.nir[1,0]': [-1, f(0.2 - 1), 0, 0],
  })
  const { blocks, slots } = layoutOf([satellite])
  expect(blocks).toEqual([{ name: 'satellite.patch', encoding: 'linear', groups: 2, features: 4 }])
  expect(slots.map(({ group }) => group)).toEqual([0, 0, 1, 1])
  expect(() => layoutOf([{ ...satellite, bands: ['red'] }])).toThrow('own name')
  expect(() => layoutOf([{ ...satellite, bands: ['red', 'red'] }])).toThrow('own name')
  expect(() => layoutOf([{ ...satellite, bands: ['red', 'red', 'nir'] }])).toThrow('its channel')
})

const sound: Extract<ModalitySpec, { kind: 'audio' }> = {
  kind: 'audio',
  name: 'audio',
  frontEnd: { sampleRateHz: 8000, fftSize: 64, hopSize: 32, bands: 4, lowHz: 0, highHz: 4000 },
  frames: 4,
  patchFrames: 2,
  patchBands: 2,
  mean: -80,
  deviation: 80,
}

test('audio: patches time by time, levels become decibels, what the recording does not fill is hidden', () => {
  const levels = Uint8Array.from({ length: 12 }, (_, i) => 51 * (i % 6))
  const content: ReadingContent = { kind: 'audio', frontEnd: sound.frontEnd, frames: 3, levels }
  const f = Math.fround
  expect(shown([sound], [reading('audio', content)])).toEqual({
    'audio[0,0]': [0, f(0.2), f(0.8), 1],
    'audio[0,1]': [f(0.4), f(0.6), 0, f(0.2)],
  })
  const other = { ...content, frontEnd: { ...sound.frontEnd, hopSize: 16 } }
  expect(shown([sound], [reading('audio', other)])).toEqual({})
  expect(shown([sound], [reading('audio', { ...content, frames: 4 })])).toEqual({})
})

const place: Extract<ModalitySpec, { kind: 'location' }> = {
  kind: 'location',
  name: 'place',
  parts: ['position', 'elevation', 'season', 'dayTime'],
}

const at = (latitude: number, longitude: number, elevationM: number | null = null): TokenReading =>
  reading('place', { kind: 'location', latitude, longitude, elevationM })

test('location: nothing without a reading, no elevation without a number', () => {
  expect(shown([place], [])).toEqual({})
  expect(Object.keys(shown([place], [at(46, 7)]))).toEqual(['place.position', 'place.season', 'place.dayTime'])
  expect(shown([place], [at(91, 7)])).toEqual({})
  const { 'place.position': position, 'place.elevation': elevation } = shown([place], [at(0, 90, 1000)])
  expect(position!.slice(0, 3).map((x) => Math.round(x * 1e6) / 1e6)).toEqual([0, 1, 0])
  expect(elevation![0]).toBe(1)
  expect(elevation).toHaveLength(7)
})

test('location: east and west of the date line look alike', () => {
  const [east, west] = [shown([place], [at(10, 180)]), shown([place], [at(10, -180)])]
  for (const [i, x] of east['place.position']!.entries()) expect(x).toBeCloseTo(west['place.position']![i]!, 5)
})

test('location: season and time of day are those of the middle of the window', () => {
  const dated = (middle: string): number[][] => {
    const ms = Date.parse(middle)
    const window = { startMs: ms - 1_800_000, endMs: ms + 1_800_000 }
    const parts: ModalitySpec = { ...place, parts: ['season', 'dayTime'] }
    const { features } = tokenize([parts], layoutOf([parts]), [at(0, 15)], window)
    return [Array.from(features.subarray(0, 4)), Array.from(features.subarray(4))]
  }
  const [midYear, noon] = dated('2025-07-02T12:00:00Z')
  for (const [i, x] of [0, -1, 0, 1].entries()) expect(midYear![i]).toBeCloseTo(x, 5)
  // 12:00 UTC is 13:00 by the sun at 15° E: 13/24 of a turn.
  expect(noon![0]).toBeCloseTo(Math.sin((2 * Math.PI * 13) / 24), 6)
  expect(noon![1]).toBeCloseTo(Math.cos((2 * Math.PI * 13) / 24), 6)
  // At the equator on an equinox the sun is overhead at noon and 90° below at midnight.
  const [, zenith] = dated('2025-03-20T11:07:00Z')
  const [, nadir] = dated('2025-03-20T23:07:00Z')
  expect(zenith![2]).toBeGreaterThan(0.999)
  expect(nadir![2]).toBeLessThan(-0.999)
})

test('embeddings: the newest vector of the right encoder and size, all of whose numbers exist', () => {
  const song: ModalitySpec = {
    kind: 'embedding',
    name: 'song',
    encoder: 'e1',
    size: 2,
    mean: [1, 0],
    deviation: [1, 2],
  }
  const vector = (encoder: string, values: number[], atMs: number) =>
    reading('song', { kind: 'embedding', encoder, vector: values }, atMs)
  const readings = [
    vector('e1', [5, 5], 1),
    vector('e1', [3, 4], 2),
    vector('e2', [9, 9], 3),
    vector('e1', [1, 2, 3], 4),
    vector('e1', [1, Number.NaN], 5),
  ]
  expect(shown([song], readings)).toEqual({ song: [2, 2] })
})

test('specs whose sizes do not fit are refused', () => {
  expect(() => layoutOf([table, table])).toThrow('modalities differ in name')
  expect(() => layoutOf([{ ...sound, patchBands: 3 }])).toThrow('patches tile the log-mel picture')
  expect(() => layoutOf([{ ...table, variables: [table.variables[0]!, table.variables[0]!] }])).toThrow(
    'differ in name',
  )
  expect(() => tokenize([table], layoutOf([hourly]), [], HOUR)).toThrow('the layout is that of the specs')
})
