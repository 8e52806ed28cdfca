import { expect, test } from 'vitest'
import { modalitySpecSchema } from '#shared/bundle/manifest.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { tokenizerDigest } from './digest.ts'
import { layoutOf } from './layout-of.ts'
import type { TokenReading } from './tokenize.ts'
import { tokenize } from './tokenize.ts'

const series = (name: string, stepMs: number, stepsPerPeriod: number, group?: string): ModalitySpec => ({
  kind: 'series',
  name,
  ...(group === undefined ? {} : { group }),
  stepMs,
  periods: 2,
  stepsPerPeriod,
  variables: [{ name: 'v', mean: 0, deviation: 1 }],
})
const place: ModalitySpec = { kind: 'location', name: 'place', parts: ['position'] }
const MONTHS = series('months', 1000, 3, 'series')
const QUARTERS = series('quarters', 3000, 1, 'series')

test('specs of a group are one modality, with the slots and blocks of each', () => {
  const specs = [place, MONTHS, QUARTERS]
  const { modalities, slots, blocks } = layoutOf(specs)
  expect(modalities).toEqual(['place', 'series'])
  expect(slots.map(({ name, modality }) => [name, modality])).toEqual([
    ['place.position', 0],
    ['months.v[0]', 1],
    ['months.v[1]', 1],
    ['quarters.v[0]', 1],
    ['quarters.v[1]', 1],
  ])
  expect(blocks.map(({ name }) => name)).toEqual(['place.position', 'months.period', 'quarters.period'])
  // Readings go by the name of the spec.
  const reading = (modality: string, stepMs: number, v: number[]): TokenReading => ({
    id: modality as TokenReading['id'],
    modality,
    observedAtMs: 0,
    content: { kind: 'series', stepMs, variables: { v } },
  })
  const readings = [reading('quarters', 3000, [7, 8]), reading('series', 1000, [1, 2, 3])]
  const { hidden, features } = tokenize(specs, layoutOf(specs), readings, { startMs: 0, endMs: 1 })
  expect([...hidden]).toEqual([1, 1, 1, 0, 0])
  expect([...features.slice(-2)]).toEqual([7, 8])
})

test('a group keeps its tokens, has a digest of its own, and travels in the manifest', () => {
  const single = [series('months', 1000, 3), series('quarters', 3000, 1)]
  const { modalities: _, ...grouped } = layoutOf([MONTHS, QUARTERS])
  const { modalities: __, ...apart } = layoutOf(single)
  expect({ ...grouped, slots: grouped.slots.map(({ modality: _m, ...slot }) => slot) }).toEqual({
    ...apart,
    slots: apart.slots.map(({ modality: _m, ...slot }) => slot),
  })
  expect(tokenizerDigest([MONTHS, QUARTERS])).not.toBe(tokenizerDigest(single))
  expect(modalitySpecSchema.parse(JSON.parse(JSON.stringify(MONTHS)))).toEqual(MONTHS)
  expect(modalitySpecSchema.parse(JSON.parse(JSON.stringify(place)))).toEqual(place)
})

test('a group that is torn apart, or has the name of another modality, is a bug', () => {
  expect(() => layoutOf([MONTHS, place, QUARTERS])).toThrow('specs of a group stand together')
  expect(() => layoutOf([{ ...place, name: 'series' }, MONTHS])).toThrow('no modality has its name')
  expect(() => layoutOf([MONTHS, { ...place, name: 'series' }])).toThrow('no modality has its name')
  expect(() => layoutOf([MONTHS, MONTHS])).toThrow('modalities differ in name')
})
