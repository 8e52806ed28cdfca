/** Random modality specs, and readings that fit them, nearly fit them, or don't. */
import fc from 'fast-check'
import type { ReadingId } from '#shared/domain/ids.ts'
import type { LocationPart, ModalitySpec, TabularVariable } from '#shared/domain/modality.ts'
import type { AudioFrontEnd, ReadingContent } from '#shared/domain/reading.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'

type SpecOf<Kind extends ModalitySpec['kind']> = Extract<ModalitySpec, { kind: Kind }>

const VARIABLES = ['a', 'b', 'c', 'constructor'] as const

const mean = fc.double({ min: -5, max: 5, noNaN: true })
const deviation = fc.double({ min: 0.1, max: 5, noNaN: true })
const small = (max: number) => fc.integer({ min: 1, max })
const scales = (count: number) => fc.array(deviation, { minLength: count, maxLength: count })
const names = fc.uniqueArray(fc.constantFrom(...VARIABLES), { minLength: 1 })

/** Numbers, missing ones, and what broken devices send in place of one. */
const reported = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 3 }) },
  fc.constantFrom(null, Number.NaN, Infinity, -1e300, 0.25),
)

const variable = (name: string): fc.Arbitrary<TabularVariable> =>
  fc.oneof(
    fc.record({ type: fc.constant('number' as const), name: fc.constant(name), mean, deviation }),
    fc.record({
      type: fc.constant('category' as const),
      name: fc.constant(name),
      categories: fc.uniqueArray(fc.integer({ min: -2, max: 2 }), { minLength: 1 }),
    }),
  )

const tabular: fc.Arbitrary<SpecOf<'tabular'>> = names.chain((chosen) =>
  fc.record({
    kind: fc.constant('tabular' as const),
    name: fc.constant('tabular'),
    variables: fc.tuple(...chosen.map(variable)),
  }),
)

const series: fc.Arbitrary<SpecOf<'series'>> = names.chain((chosen) =>
  fc.record({
    kind: fc.constant('series' as const),
    name: fc.constant('series'),
    stepMs: fc.constantFrom(1000, 2000),
    periods: small(3),
    stepsPerPeriod: small(3),
    variables: fc.tuple(...chosen.map((name) => fc.record({ name: fc.constant(name), mean, deviation }))),
  }),
)

const image: fc.Arbitrary<SpecOf<'image'>> = fc
  .record({ patch: small(2), columns: small(2), rows: small(2), channels: fc.constantFrom(1, 3) })
  .chain(({ patch, columns, rows, channels }) =>
    fc.record(
      {
        kind: fc.constant('image' as const),
        name: fc.constant('image'),
        width: fc.constant(patch * columns),
        height: fc.constant(patch * rows),
        channels: fc.constant(channels),
        patch: fc.constant(patch),
        bands: fc.constant(['red', 'green', 'blue'].slice(0, channels)),
        mean: scales(channels),
        deviation: scales(channels),
      },
      { requiredKeys: ['kind', 'name', 'width', 'height', 'channels', 'patch', 'mean', 'deviation'] },
    ),
  )

const frontEnd = (bands: number, lowHz: number): AudioFrontEnd => ({
  sampleRateHz: 8000,
  fftSize: 64,
  hopSize: 32,
  bands,
  lowHz,
  highHz: 4000,
})

const audio: fc.Arbitrary<SpecOf<'audio'>> = fc
  .record({ patchBands: small(2), columns: small(2), patchFrames: small(2), rows: small(3) })
  .chain(({ patchBands, columns, patchFrames, rows }) =>
    fc.record({
      kind: fc.constant('audio' as const),
      name: fc.constant('audio'),
      frontEnd: fc.constant(frontEnd(patchBands * columns, 0)),
      frames: fc.constant(patchFrames * rows),
      patchFrames: fc.constant(patchFrames),
      patchBands: fc.constant(patchBands),
      mean,
      deviation,
    }),
  )

const location: fc.Arbitrary<SpecOf<'location'>> = fc.record({
  kind: fc.constant('location' as const),
  name: fc.constant('location'),
  parts: fc.uniqueArray(fc.constantFrom<LocationPart>('position', 'elevation', 'season', 'dayTime'), { minLength: 1 }),
})

const embedding: fc.Arbitrary<SpecOf<'embedding'>> = small(3).chain((size) =>
  fc.record({
    kind: fc.constant('embedding' as const),
    name: fc.constant('embedding'),
    encoder: fc.constant('encoder'),
    size: fc.constant(size),
    mean: scales(size),
    deviation: scales(size),
  }),
)

const KINDS: readonly fc.Arbitrary<ModalitySpec>[] = [tabular, series, image, audio, location, embedding]

/** A model's modalities, each kind at most once, in random order; a modality's name is its kind. */
export const arbitrarySpecs: fc.Arbitrary<readonly ModalitySpec[]> = fc
  .shuffledSubarray([...KINDS], { minLength: 1 })
  .chain((kinds) => fc.tuple(...kinds))

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const sometimes = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.constantFrom(...others))

const recordOf = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(fc.constantFrom(...VARIABLES), value)

const contentFor = (spec: ModalitySpec): fc.Arbitrary<ReadingContent> => {
  switch (spec.kind) {
    case 'tabular':
      return recordOf(reported).map((values) => ({ kind: 'scalars', values }))
    case 'series':
      return fc.record({
        kind: fc.constant('series' as const),
        stepMs: sometimes(spec.stepMs, 3000),
        variables: recordOf(fc.array(reported, { maxLength: spec.periods * spec.stepsPerPeriod + 2 })),
      })
    case 'image':
      return fc
        .record({ width: sometimes(spec.width, spec.width + 1), height: fc.constant(spec.height) })
        .chain(({ width, height }) =>
          bytes(width * height * spec.channels).map((pixels) => ({
            kind: 'image' as const,
            width,
            height,
            channels: spec.channels,
            pixels,
          })),
        )
    case 'audio':
      return fc.record({ frames: fc.nat(spec.frames + 1), lowHz: sometimes(0, 50) }).chain(({ frames, lowHz }) =>
        bytes(frames * spec.frontEnd.bands).map((levels) => ({
          kind: 'audio' as const,
          frontEnd: frontEnd(spec.frontEnd.bands, lowHz),
          frames,
          levels,
        })),
      )
    case 'location':
      return fc.record({
        kind: fc.constant('location' as const),
        latitude: fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), fc.constantFrom(91, Number.NaN)),
        longitude: fc.double({ min: -180, max: 180, noNaN: true }),
        elevationM: fc.option(fc.integer({ min: -400, max: 8800 }), { nil: null }),
      })
    case 'embedding':
      return fc.record({
        kind: fc.constant('embedding' as const),
        encoder: sometimes('encoder', 'another'),
        vector: fc.array(sometimes(0.5, -1.5, Number.NaN), { minLength: spec.size - 1, maxLength: spec.size + 1 }),
      })
  }
}

/** Readings of the specs' modalities and of one that no spec names, some of the wrong kind; ids differ, times repeat. */
export const arbitraryReadings = (specs: readonly ModalitySpec[]): fc.Arbitrary<readonly TokenReading[]> => {
  const modality = fc.constantFrom(...specs.map(({ name }) => name), 'unheard-of')
  const content = fc.oneof(...specs.map(contentFor))
  const fitting = specs.map((spec) => fc.record({ modality: fc.constant(spec.name), content: contentFor(spec) }))
  return fc
    .array(
      fc.record({
        reading: fc.oneof(...fitting, ...fitting, fc.record({ modality, content })),
        observedAtMs: fc.constantFrom(null, 0, 1000, 2000),
      }),
      { maxLength: 12 },
    )
    .chain((drafts) => {
      const ids = drafts.map((_, i) => `r${i}` as ReadingId)
      return fc
        .shuffledSubarray(ids, { minLength: ids.length })
        .map((shuffled) =>
          drafts.map(({ reading, observedAtMs }, i) => ({ ...reading, observedAtMs, id: shuffled[i]! })),
        )
    })
}
