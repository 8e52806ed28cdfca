import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DeploymentId, type NodeId, observationId, type ReadingId } from '#shared/domain/ids.ts'
import type { LabelledObservation } from '#shared/domain/labelled-observation.ts'
import type { Reading, ReadingContent } from '#shared/domain/reading.ts'
import { DEFAULT_FRONT_END } from '#shared/tokens/log-mel.ts'
import { exampleReading, HOUR_MS } from '#test/support/station-rows.ts'
import { buildTrainingSet } from './build-set.ts'
import { DatasetError } from './dataset-error.ts'
import { type FromLabelledOptions, fromLabelled } from './from-store.ts'
import type { DatasetWarning } from './raw-set.ts'

const reading = (modality: string, content: ReadingContent): Reading =>
  exampleReading({ id: `r-${modality}` as ReadingId, modality, content })

const weather = (values: Record<string, number | null> = { airTemperatureC: 7, rainMm: 0 }) =>
  reading('weather', { kind: 'scalars', values })

type Said = { readonly present?: readonly string[]; readonly absent?: readonly string[] }

const labelled = (
  at: { readonly deployment?: string; readonly hour: number; readonly node?: string },
  labels: readonly Said[],
  readings: readonly Reading[] = [weather()],
): LabelledObservation => {
  const deployment = (at.deployment ?? 'd1') as DeploymentId
  const startMs = at.hour * HOUR_MS
  const id = observationId(deployment, startMs)
  return {
    observation: {
      id,
      node: (at.node ?? 'n1') as NodeId,
      deployment,
      window: { startMs, endMs: startMs + HOUR_MS },
      revision: 1,
      final: true,
      readings: readings.map((it) => it.id),
    },
    readings,
    labels: labels.map(({ present = [], absent = [] }, i) => ({
      id: `l${i}`,
      observation: id,
      present,
      absent,
      by: 'test',
    })),
  }
}

const read = (observations: readonly LabelledObservation[], options: FromLabelledOptions = {}) => {
  const warnings: DatasetWarning[] = []
  const raw = fromLabelled(observations, { minimumPositives: 1, ...options, onWarning: (it) => warnings.push(it) })
  return { raw, warnings: warnings.map(({ code, subject, count }) => [code, subject, count]) }
}

const days = (count: number, labels: readonly Said[], readings?: readonly Reading[]) =>
  Array.from({ length: count }, (_, day) => labelled({ hour: 24 * day }, labels, readings))

test('for each taxon the last word that names it holds; who is not named is unknown', () => {
  const check = (labels: readonly Said[], owl: number, fox: number) => {
    const { raw } = read([labelled({ hour: 0 }, labels), ...days(3, [{ present: ['owl', 'fox'] }]).slice(1)])
    expect(raw.labels.map((it) => it.name)).toEqual(['fox', 'owl'])
    const [example] = raw.examples
    expect([...example!.labels]).toEqual([fox, owl])
  }
  check([{ present: ['owl'], absent: ['fox'] }], 1, 0)
  check([{ present: ['owl'] }], 1, Number.NaN)
  check([{ present: ['owl'] }, { absent: ['owl', 'fox'] }], 0, 0)
  check([{ absent: ['owl', 'fox'] }, { present: ['owl'] }, { present: ['fox'] }], 1, 1)
})

test('rare taxa, unlabelled and empty observations are left out and counted', () => {
  const { raw, warnings } = read(
    [
      ...days(3, [{ present: ['owl'], absent: ['fox'] }]),
      labelled({ hour: 73 }, [{ present: ['fox', 'hare'] }]),
      labelled({ hour: 74 }, [{ present: ['owl'] }], []),
    ],
    { minimumPositives: 2 },
  )
  expect(raw.labels).toEqual([{ name: 'owl', taxonId: null }])
  expect(raw.examples.map((it) => it.id)).toEqual(['n1/d1/0', `n1/d1/${24 * HOUR_MS}`, `n1/d1/${48 * HOUR_MS}`])
  expect(warnings).toEqual([
    ['rare-label', 'fox', 1],
    ['rare-label', 'hare', 1],
    ['unused-rows', 'observations', 2],
  ])
})

const codeOf = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error instanceof DatasetError ? error.code : error
  }
}

test('too little to learn from is said', () => {
  expect(codeOf(() => read([]))).toBe('too-few')
  expect(codeOf(() => read(days(4, [{ absent: ['owl'] }])))).toBe('too-few')
  const oneDay = Array.from({ length: 20 }, (_, hour) => labelled({ hour }, [{ present: ['owl'] }]))
  expect(codeOf(() => read(oneDay))).toBe('too-few')
  expect(read(oneDay, { blockMs: 6 * HOUR_MS }).raw.examples).toHaveLength(20)
})

test('parts are whole days of a deployment, the same whatever else is there, and about a fifth validates', () => {
  const hours = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 24 * 60 })), {
    selector: ([station, hour]) => `${station}/${hour}`,
    minLength: 150,
    maxLength: 200,
  })
  fc.assert(
    fc.property(hours, fc.integer({ min: 100, max: 149 }), (all, fewer) => {
      const at = ([station, hour]: [number, number]) =>
        labelled({ deployment: `d${station}`, hour }, [{ present: ['owl'] }])
      const { raw } = read(all.map(at))
      const partOf = new Map(raw.examples.map((it) => [it.id, it.part]))
      const blocks = new Map<string, Set<string>>()
      for (const [i, it] of raw.examples.entries()) {
        const block = `${all[i]![0]}/${Math.floor(all[i]![1] / 24)}`
        blocks.set(block, (blocks.get(block) ?? new Set()).add(it.part))
      }
      expect([...blocks.values()].every((parts) => parts.size === 1)).toBe(true)
      const validating = [...blocks.values()].filter((parts) => parts.has('validation')).length
      // Five standard deviations of a binomial share.
      const slack = 5 * Math.sqrt((0.22 * 0.78) / blocks.size)
      expect(Math.abs(validating / blocks.size - 0.22)).toBeLessThan(slack)
      const { raw: part } = read(all.slice(0, fewer).map(at))
      expect(part.examples.every((it) => partOf.get(it.id) === it.part)).toBe(true)
    }),
    { numRuns: 20 },
  )
  for (let count = 2; count < 12; count++) {
    const parts = new Set(read(days(count, [{ present: ['owl'] }])).raw.examples.map((it) => it.part))
    expect(parts).toEqual(new Set(['train', 'validation']))
  }
})

test('two nodes that observe one deployment give two examples', () => {
  const both = [1, 2].flatMap((n) =>
    [0, 24, 48].map((hour) => labelled({ hour, node: `n${n}` }, [{ present: ['owl'] }])),
  )
  const { raw } = read(both)
  expect(new Set(raw.examples.map((it) => it.id)).size).toBe(6)
})

const levels = new Uint8Array(124 * 32)
const STATION: readonly Reading[] = [
  weather({ windSpeedMs: 1, airTemperatureC: 5, rainMm: 0, relativeHumidity: 60, pressureHpa: null }),
  reading('weather-series', {
    kind: 'series',
    stepMs: HOUR_MS,
    variables: {
      rainMm: Array.from({ length: 24 }, () => 0),
      airTemperatureC: Array.from({ length: 24 }, (_, i) => i),
    },
  }),
  reading('audio', { kind: 'audio', frontEnd: DEFAULT_FRONT_END, frames: 124, levels }),
  reading('camera', { kind: 'image', width: 64, height: 48, channels: 3, pixels: new Uint8Array(64 * 48 * 3) }),
  reading('location', { kind: 'location', latitude: 46, longitude: 7, elevationM: 900 }),
]

test("a station's modalities take their shapes from its readings: some 50 tokens in all", () => {
  const { raw, warnings } = read(days(3, [{ present: ['owl'] }], STATION))
  expect(warnings).toEqual([])
  expect(raw.templates).toEqual([
    { kind: 'audio', name: 'audio', frontEnd: DEFAULT_FRONT_END, frames: 120, patchFrames: 20, patchBands: 8 },
    { kind: 'image', name: 'camera', width: 64, height: 48, channels: 3, patch: 16 },
    { kind: 'location', name: 'location', parts: ['position', 'elevation', 'season', 'dayTime'] },
    {
      kind: 'tabular',
      name: 'weather',
      variables: ['airTemperatureC', 'pressureHpa', 'rainMm', 'relativeHumidity', 'windSpeedMs'].map((name) => ({
        type: 'number',
        name,
      })),
    },
    {
      kind: 'series',
      name: 'weather-series',
      stepMs: HOUR_MS,
      periods: 4,
      stepsPerPeriod: 6,
      variables: ['airTemperatureC', 'rainMm'],
    },
  ])
  const set = buildTrainingSet(raw)
  expect(set.layout.slots).toHaveLength(24 + 12 + 4 + 5 + 8)
  expect(set.test).toBeNull()
  // Everything but the pressure, which no station has measured.
  expect(set.train.rows[0]?.hidden.reduce((sum, hidden) => sum + hidden, 0)).toBe(1)
})

test('of different shapes the most frequent is taken; shapes without patches are left out', () => {
  const image = (width: number, height: number) =>
    reading('camera', { kind: 'image', width, height, channels: 1, pixels: new Uint8Array(width * height) })
  const song = (encoder: string) => reading('song', { kind: 'embedding', encoder, vector: [1, 2] })
  const { raw, warnings } = read([
    ...days(2, [{ present: ['owl'] }], [image(32, 32), song('b')]),
    labelled(
      { hour: 60 },
      [{ present: ['owl'] }],
      [image(24, 24), song('a'), song('b'), reading('odd', image(97, 61).content)],
    ),
  ])
  expect(raw.templates).toEqual([
    { kind: 'image', name: 'camera', width: 32, height: 32, channels: 1, patch: 8 },
    { kind: 'embedding', name: 'song', encoder: 'b', size: 2 },
  ])
  expect(warnings).toEqual([
    ['other-shape', 'camera', 1],
    ['other-shape', 'odd', 1],
    ['other-shape', 'song', 1],
  ])
})

test('a sensor that says nothing stops nobody: its modality is left out, and a fleet of such sensors is told so', () => {
  const silent = [
    reading('empty-series', { kind: 'series', stepMs: HOUR_MS, variables: {} }),
    reading('empty-table', { kind: 'scalars', values: {} }),
    reading('no-steps', { kind: 'series', stepMs: HOUR_MS, variables: { rainMm: [] } }),
  ]
  const { raw, warnings } = read(days(3, [{ present: ['owl'] }], [weather(), ...silent]))
  expect(raw.templates.map(({ name }) => name)).toEqual(['weather'])
  expect(warnings).toEqual(silent.map(({ modality }) => ['other-shape', modality, 3]))
  expect(() => read(days(3, [{ present: ['owl'] }], silent))).toThrow(
    expect.objectContaining({ name: 'DatasetError', code: 'too-few' }),
  )
})

test("a sensor's name that would be confused with that of a subset leaves its modality out", () => {
  const named = (modality: string) => reading(modality, weather().content)
  const { raw, warnings } = read(days(3, [{ present: ['owl'] }], [weather(), named('all'), named('a+b')]))
  expect(raw.templates.map(({ name }) => name)).toEqual(['weather'])
  expect(warnings).toEqual([
    ['bad-name', 'a+b', 3],
    ['bad-name', 'all', 3],
  ])
})
