/** Raw sets of all kinds of modalities with one to eight examples in any parts, some values missing, some labels unknown. */
import fc from 'fast-check'
import type { Part, RawExample, RawSet } from '#cloud/dataset/raw-set.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { DEFAULT_FRONT_END } from '#shared/tokens/log-mel.ts'

type Reading = RawExample['readings'][number]

const reading = (modality: string, content: ReadingContent): Reading => ({
  id: `r-${modality}` as Reading['id'],
  modality,
  content,
  observedAtMs: 1000,
})

const frontEnd = { ...DEFAULT_FRONT_END, bands: 2 }
const number = fc.option(fc.integer({ min: -50, max: 50 }))
const exampleArbitrary = fc
  .record({
    part: fc.constantFrom<Part>('train', 'validation', 'test'),
    x: number,
    y: number,
    steps: fc.array(number, { minLength: 4, maxLength: 4 }),
    pixels: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    bands: fc.uint8Array({ minLength: 4, maxLength: 8 }).filter(({ length }) => length % 4 === 0),
    levels: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    vector: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 2 }),
    latitude: fc.integer({ min: -90, max: 90 }),
    labels: fc.array(fc.constantFrom(0, 1, Number.NaN), { minLength: 2, maxLength: 2 }),
  })
  .map(({ part, x, y, steps, pixels, bands, levels, vector, latitude, labels }) => ({
    part,
    window: { startMs: 0, endMs: 3_600_000 },
    labels: Float32Array.from(labels),
    readings: [
      reading('table', { kind: 'scalars', values: { x, y } }),
      reading('series', { kind: 'series', stepMs: 1000, variables: { v: steps } }),
      reading('image', { kind: 'image', width: 2, height: 2, channels: 1, pixels }),
      reading('audio', { kind: 'audio', frontEnd, frames: 2, levels }),
      reading('place', { kind: 'location', latitude, longitude: 7, elevationM: null }),
      reading('song', { kind: 'embedding', encoder: 'e', vector }),
      // Half of them of another size, which hides their tokens.
      reading('bands', { kind: 'image', width: 2, height: bands.length / 4, channels: 2, pixels: bands }),
    ],
  }))

export const arbitraryRawSet = fc.array(exampleArbitrary, { minLength: 1, maxLength: 8 }).map(
  (examples): RawSet => ({
    templates: [
      {
        kind: 'tabular',
        name: 'table',
        variables: [
          { type: 'number', name: 'x' },
          { type: 'category', name: 'y', categories: null },
        ],
      },
      { kind: 'series', name: 'series', stepMs: 1000, periods: 2, stepsPerPeriod: 2, variables: ['v'] },
      { kind: 'image', name: 'image', width: 2, height: 2, channels: 1, patch: 1 },
      { kind: 'audio', name: 'audio', frontEnd, frames: 2, patchFrames: 1, patchBands: 2 },
      { kind: 'location', name: 'place', parts: ['position', 'season'] },
      { kind: 'embedding', name: 'song', encoder: 'e', size: 2 },
      { kind: 'image', name: 'bands', width: 2, height: 2, channels: 2, patch: 1, bands: ['red', 'nir'] },
    ],
    labels: [
      { name: 'owl', taxonId: null },
      { name: 'fox', taxonId: null },
    ],
    examples: examples.map((it, i) => ({ id: `e${i}`, ...it })),
  }),
)
