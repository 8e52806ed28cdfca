import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import { arbitraryRawSet } from '#test/support/arbitrary-raw-set.ts'
import { buildTrainingSet } from './build-set.ts'
import type { RawExample, RawSet } from './raw-set.ts'

test('each part has its examples in order, as the tokenizer sees them', () => {
  fc.assert(
    fc.property(arbitraryRawSet, (raw) => {
      const set = buildTrainingSet(raw)
      for (const part of ['train', 'validation', 'test'] as const) {
        const expected = raw.examples.filter((it) => it.part === part)
        const got = set[part]
        if (part === 'test' && expected.length === 0) {
          expect(got).toBeNull()
          continue
        }
        expect(got?.ids).toEqual(expected.map((it) => it.id))
        expect(got?.rows).toEqual(expected.map((it) => tokenize(set.specs, set.layout, it.readings, it.window)))
        expect([...got!.labels]).toEqual(expected.flatMap((it) => [...it.labels]))
      }
      expect(set.layout.modalities).toEqual(['table', 'series', 'image', 'audio', 'place', 'song', 'bands'])
    }),
    { numRuns: 50 },
  )
})

test('with the specs of a model nothing is fitted', () => {
  fc.assert(
    fc.property(arbitraryRawSet, arbitraryRawSet, (own, other) => {
      const { specs } = buildTrainingSet(own)
      const set = buildTrainingSet(other, { specs })
      expect(set.specs).toEqual(specs)
      const train = other.examples.filter((it) => it.part === 'train')
      expect(set.train.rows).toEqual(train.map((it) => tokenize(specs, set.layout, it.readings, it.window)))
    }),
    { numRuns: 20 },
  )
})

/** A copy with one thing changed, chosen by `at`. */
const changed = (raw: RawSet, at: number): RawSet => {
  const i = at % raw.examples.length
  const example = raw.examples[i]!
  const contents = example.readings.map((it) => it.content)
  const edit = (n: number, content: object): Partial<RawExample> => ({
    readings: example.readings.map((it, r) =>
      r === n ? { ...it, content: { ...it.content, ...content } as ReadingContent } : it,
    ),
  })
  const bump = (bytes: Uint8Array) => bytes.map((byte, b) => (b === at % 4 ? byte ^ 1 : byte))
  const [table, series, image, audio, , song] = contents
  const changes: readonly (() => Partial<RawExample>)[] = [
    () => ({ id: `${example.id}'` }),
    () => ({ part: example.part === 'train' ? 'test' : 'train' }),
    () => ({ window: { startMs: 1, endMs: 2 } }),
    () => ({ labels: example.labels.map((y, l) => (l === at % 2 ? (y === 1 ? 0 : 1) : y)) }),
    () => edit(0, { values: { ...(table?.kind === 'scalars' && table.values), x: 99 } }),
    () => edit(1, { variables: { v: series?.kind === 'series' && [...series.variables.v!.slice(1), 99] } }),
    () => edit(2, { pixels: image?.kind === 'image' && bump(image.pixels) }),
    () => edit(3, { levels: audio?.kind === 'audio' && bump(audio.levels) }),
    () => edit(4, { elevationM: 0 }),
    () => edit(5, { vector: song?.kind === 'embedding' && [song.vector[0], 99] }),
    () => ({ readings: example.readings.slice(1) }),
    () => ({ readings: example.readings.map((it) => ({ ...it, observedAtMs: null })) }),
  ]
  const change = changes[Math.floor(at / raw.examples.length) % changes.length]!()
  return { ...raw, examples: raw.examples.map((it, e) => (e === i ? { ...it, ...change } : it)) }
}

test('equal data have one hash; a change of any cell gives another', () => {
  fc.assert(
    fc.property(arbitraryRawSet, fc.nat(), (raw, at) => {
      const { hash } = buildTrainingSet(raw)
      expect(buildTrainingSet(structuredClone(raw)).hash).toBe(hash)
      expect(buildTrainingSet(changed(raw, at)).hash).not.toBe(hash)
      const labels = raw.labels.map((label, l) => (l === 0 ? { ...label, taxonId: 'gbif:1' } : label))
      expect(buildTrainingSet({ ...raw, labels }).hash).not.toBe(hash)
      expect(buildTrainingSet({ ...raw, templates: raw.templates.slice(1) }).hash).not.toBe(hash)
    }),
    { numRuns: 200 },
  )
})

test('the order of variables within a reading does not change the hash, that of examples does', () => {
  const [raw] = fc.sample(arbitraryRawSet, { numRuns: 1, seed: 8 })
  const swapped = raw!.examples.map((it) => ({
    ...it,
    readings: it.readings.map((one) => {
      if (one.content.kind !== 'scalars') return one
      const values = Object.fromEntries(Object.entries(one.content.values).reverse())
      return { ...one, content: { ...one.content, values } }
    }),
  }))
  const twice: RawSet = { ...raw!, examples: [...raw!.examples, { ...raw!.examples[0]!, id: 'last' }] }
  expect(buildTrainingSet({ ...raw!, examples: swapped }).hash).toBe(buildTrainingSet(raw!).hash)
  expect(buildTrainingSet({ ...twice, examples: twice.examples.toReversed() }).hash).not.toBe(
    buildTrainingSet(twice).hash,
  )
})
