import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { DEFAULT_FRONT_END, levelToDb } from '#shared/tokens/log-mel.ts'
import { fitSpecs } from './fit-specs.ts'
import type { DatasetWarning, ModalityTemplate, Part, RawExample } from './raw-set.ts'

const example = (part: Part, content: ReadingContent, modality = 'm'): RawExample => ({
  id: 'e',
  readings: [{ id: 'r' as RawExample['readings'][number]['id'], modality, content, observedAtMs: 0 }],
  window: { startMs: 0, endMs: 3_600_000 },
  part,
  labels: Float32Array.of(1),
})

const specOf = (template: ModalityTemplate, examples: readonly RawExample[]) => {
  const warnings: DatasetWarning[] = []
  const [spec] = fitSpecs([template], examples, (warning) => warnings.push(warning))
  return { spec, warnings: warnings.map(({ code, subject, count }) => [code, subject, count]) }
}

const scalars = (x: number | null): ReadingContent => ({ kind: 'scalars', values: { x } })
const TABLE: ModalityTemplate = { kind: 'tabular', name: 'm', variables: [{ type: 'number', name: 'x' }] }

/** The plain two-pass formula. */
const momentsOf = (values: readonly number[]) => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  return { mean, deviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) }
}

test('numbers: mean and deviation of what is known in the training part', () => {
  const value = fc.oneof(fc.double({ min: -1000, max: 1000, noNaN: true }), fc.constantFrom(null, 1e11, -3e38))
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 2 }),
      fc.array(value),
      fc.integer({ min: 0, max: 1e9 }),
      (some, others, offset) => {
        const shifted = some.map((x) => (x === null || Math.abs(x) > 1e10 ? x : x + offset))
        const known = shifted.filter((x) => x !== null && Math.abs(x) <= 1e10) as number[]
        fc.pre(new Set(known).size > 1)
        const { mean, deviation } = momentsOf(known)
        const { spec, warnings } = specOf(TABLE, [
          ...shifted.map((x) => example('train', scalars(x))),
          ...others.map((x) => example('validation', scalars(x))),
          example('train', scalars(5), 'another'),
        ])
        const fitted = spec?.kind === 'tabular' ? spec.variables[0] : undefined
        if (fitted?.type !== 'number') throw new Error('a number expected')
        expect(Math.abs(fitted.mean - mean)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(mean)))
        // What cancels is of the size of the offset.
        expect(Math.abs(fitted.deviation - deviation - 1e-4)).toBeLessThanOrEqual(1e-9 + 1e-14 * offset)
        expect(warnings).toEqual([])
      },
    ),
  )
})

test('what is always the same, and what never comes', () => {
  const check = (values: readonly (number | null)[], mean: number, warning: unknown) => {
    const { spec, warnings } = specOf(TABLE, [
      ...values.map((x) => example('train', scalars(x))),
      example('test', scalars(9)),
    ])
    expect(spec).toEqual({
      kind: 'tabular',
      name: 'm',
      variables: [{ type: 'number', name: 'x', mean, deviation: 1 }],
    })
    expect(warnings).toEqual([warning])
  }
  check([0.1, 0.1, 0.1], 0.1, ['constant-variable', 'm.x', 3])
  check([7, null], 7, ['constant-variable', 'm.x', 1])
  check([null, null], 0, ['never-present', 'm.x', 1])
  check([], 0, ['never-present', 'm.x', 1])
})

test('categories are those of the training part; others are counted', () => {
  const open: ModalityTemplate = {
    kind: 'tabular',
    name: 'm',
    variables: [{ type: 'category', name: 'x', categories: null }],
  }
  const { spec, warnings } = specOf(open, [
    ...[3, 1, 3, null, 2].map((x) => example('train', scalars(x))),
    ...[1, 9, 9, null].map((x) => example('test', scalars(x))),
  ])
  expect(spec).toEqual({
    kind: 'tabular',
    name: 'm',
    variables: [{ type: 'category', name: 'x', categories: [1, 2, 3] }],
  })
  expect(warnings).toEqual([['unknown-category', 'm.x', 2]])

  const listed: ModalityTemplate = { ...open, variables: [{ type: 'category', name: 'x', categories: [4, 0] }] }
  expect(specOf(listed, [example('train', scalars(4))])).toEqual({ spec: listed, warnings: [] })
})

test('series by variable, images by channel, sound as a whole, embeddings by dimension', () => {
  const series: ModalityTemplate = {
    kind: 'series',
    name: 'm',
    stepMs: 1000,
    periods: 1,
    stepsPerPeriod: 2,
    variables: ['a', 'b'],
  }
  const steps = (stepMs: number, a: number[], b: (number | null)[]): ReadingContent => ({
    kind: 'series',
    stepMs,
    variables: { a, b },
  })
  expect(
    specOf(series, [
      example('train', steps(1000, [1, 3], [10, null])),
      example('train', steps(500, [50, 50], [50, 50])),
      example('train', steps(1000, [5, 7], [30, 20])),
    ]).spec,
  ).toEqual({
    ...series,
    variables: [
      { name: 'a', mean: 4, deviation: Math.sqrt(5) + 1e-4 },
      { name: 'b', mean: 20, deviation: expect.closeTo(Math.sqrt(200 / 3) + 1e-4, 12) },
    ],
  })

  const image: ModalityTemplate = { kind: 'image', name: 'm', width: 2, height: 1, channels: 3, patch: 1 }
  const pixels = Uint8Array.of(0, 51, 9, 255, 102, 9)
  const fitted = specOf(image, [
    example('train', { kind: 'image', width: 2, height: 1, channels: 3, pixels }),
    example('train', { kind: 'image', width: 1, height: 2, channels: 3, pixels: pixels.map(() => 77) }),
  ])
  expect(fitted.spec).toEqual({
    ...image,
    mean: [0.5, expect.closeTo(0.3, 12), 9 / 255],
    deviation: [0.5 + 1e-4, expect.closeTo(0.1 + 1e-4, 12), 1],
  })
  expect(fitted.warnings).toEqual([['constant-variable', 'm[2]', 2]])

  const frontEnd = { ...DEFAULT_FRONT_END, bands: 2 }
  const audio: ModalityTemplate = { kind: 'audio', name: 'm', frontEnd, frames: 1, patchFrames: 1, patchBands: 1 }
  // The second frame is not used.
  const sound = example('train', { kind: 'audio', frontEnd, frames: 2, levels: Uint8Array.of(0, 255, 99, 99) })
  const { mean, deviation } = momentsOf([levelToDb(0), levelToDb(255)])
  expect(specOf(audio, [sound]).spec).toEqual({ ...audio, mean, deviation: deviation + 1e-4 })

  const embedding: ModalityTemplate = { kind: 'embedding', name: 'm', encoder: 'e', size: 2 }
  const vectors = [
    [1, -4],
    [3, -4],
  ].map((vector) => example('train', { kind: 'embedding', encoder: 'e', vector }))
  const other = example('train', { kind: 'embedding', encoder: 'f', vector: [90, 90] })
  expect(specOf(embedding, [...vectors, other]).spec).toEqual({
    ...embedding,
    mean: [2, -4],
    deviation: [1 + 1e-4, 1],
  })

  const location: ModalityTemplate = { kind: 'location', name: 'm', parts: ['position'] }
  expect(specOf(location, [])).toEqual({ spec: location, warnings: [] })
})
