import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { judgedSubsets, type SubsetTraffic } from './judged-subsets.ts'

/** Two tokens a modality. */
const layout = (...modalities: readonly string[]): TokenLayout => ({
  modalities,
  blocks: [],
  slots: modalities.flatMap((name, modality) =>
    [0, 1].map((i) => ({ name: `${name}.${i}`, modality, block: 0, group: 0, offset: 0 })),
  ),
  featureCount: 0,
})
const asked = (modalities: string, predictions: number): SubsetTraffic => ({
  modalities: modalities === '' ? [] : modalities.split('+'),
  predictions,
})
const FIVE = layout('camera', 'audio', 'weather', 'soil', 'place')
const judge = (traffic: readonly SubsetTraffic[], share = 0.01, before = FIVE, after = FIVE) =>
  judgedSubsets(traffic, { before, after }, share).map(({ name, predictions }) => [name, predictions])
/** What a model sees of it, by name. */
const visibleIn = ({ modalities, slots }: TokenLayout, hidden: Uint8Array): readonly string[] =>
  modalities.filter((_, m) => slots.some(({ modality }, slot) => modality === m && hidden[slot] === 0))

test('subsets with real traffic are judged, the most asked first, named in the order of the model', () => {
  expect(
    judge([asked('audio+camera', 300), asked('audio+camera+place+soil+weather', 650), asked('audio+soil+weather', 50)]),
  ).toEqual([
    ['all', 650],
    ['camera+audio', 300],
    ['audio+weather+soil', 50],
  ])
})

test('a subset has real traffic with a share of it, and with 20 predictions', () => {
  expect(judge([asked('camera', 9901), asked('audio', 99)])).toEqual([['camera', 9901]])
  expect(judge([asked('camera', 9900), asked('audio', 100)])).toHaveLength(2)
  expect(judge([asked('camera', 100), asked('audio', 19)])).toEqual([['camera', 100]])
})

test('predictions from nothing are base rates: they are not judged, and are no part of the whole', () => {
  expect(judge([asked('', 100_000), asked('camera', 100), asked('audio', 30)])).toEqual([
    ['camera', 100],
    ['audio', 30],
  ])
})

test('without traffic each standard subset that both models have is judged', () => {
  const names = ['camera', 'audio', 'place', 'camera+audio', 'camera+place', 'audio+place', 'all']
  const three = layout('camera', 'audio', 'place')
  for (const little of [[], [asked('camera', 19)], [asked('', 500)]]) {
    expect(judge(little, 0.01, three, three)).toEqual(names.map((name) => [name, null]))
  }
  expect(judge([], 0.01, three, layout('camera', 'audio'))).toEqual([
    ['camera', null],
    ['audio', null],
    ['camera+audio', null],
  ])
})

test('each model sees of a subset what it has, and what comes to the same is added up', () => {
  const [before, after] = [layout('camera', 'audio'), layout('audio', 'radar')]
  const traffic = [asked('audio+camera', 60), asked('audio+camera+sonar', 50), asked('sonar', 900), asked('camera', 40)]
  const judged = judgedSubsets(traffic, { before, after }, 0.01)
  expect(judged.map(({ name, predictions }) => [name, predictions])).toEqual([
    ['audio+camera', 110],
    ['camera', 40],
  ])
  expect(judged.map((it) => visibleIn(before, it.before.hidden))).toEqual([['camera', 'audio'], ['camera']])
  expect(judged.map((it) => visibleIn(after, it.after.hidden))).toEqual([['audio'], []])
})

test('no subset with a real share is ever left out, whatever else was asked', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          modalities: fc.subarray([...FIVE.modalities, 'sonar']),
          predictions: fc.integer({ min: 1, max: 5000 }),
        }),
        { maxLength: 12 },
      ),
      fc.double({ min: 0, max: 0.3, noNaN: true }),
      (traffic, share) => {
        const sums = new Map<string, number>()
        for (const { modalities, predictions } of traffic) {
          const key = FIVE.modalities.filter((name) => modalities.includes(name)).join('+')
          if (key !== '') sums.set(key, (sums.get(key) ?? 0) + predictions)
        }
        const total = [...sums.values()].reduce((sum, it) => sum + it, 0)
        const expected = [...sums].filter(([, count]) => count >= 20 && count >= share * total)
        const judged = judgedSubsets(traffic, { before: FIVE, after: FIVE }, share)
        const found = judged.map((it) => [visibleIn(FIVE, it.after.hidden).join('+'), it.predictions])
        if (expected.length > 0) expect(new Map(found as [string, number][])).toEqual(new Map(expected))
        else expect(found.every(([, predictions]) => predictions === null)).toBe(true)
      },
    ),
  ))
