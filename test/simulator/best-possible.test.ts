import { expect, test } from 'vitest'
import { bestPossibleAuc, drawScoredHours, STANDARD_SUBSETS, subsetName } from './best-possible.ts'
import { MODALITIES } from './posterior.ts'
import { LABELS } from './species.ts'

const OPTIONS = { seed: 1, hours: 24 * 60, observations: 400, contexts: 300 }
const scores = bestPossibleAuc(OPTIONS)
const single = MODALITIES.map((modality) => scores[modality]!)
const all = scores[subsetName(MODALITIES)]!

test('every standard subset has a score, the same for the same seed', () => {
  expect(Object.keys(scores)).toEqual(STANDARD_SUBSETS.map(subsetName))
  const again = bestPossibleAuc({ ...OPTIONS, subsets: [['camera'], ['audio', 'location']] })
  expect(again.camera).toBe(scores.camera)
  expect(again['audio+location']).toBeGreaterThan(Math.max(scores.audio!, scores.location!) - 0.01)
})

test('more sensors never score worse: all is best, and each subset beats its parts', () => {
  // Finite contexts make a posterior slightly worse than the exact one; 0.01 covers that.
  for (const subset of STANDARD_SUBSETS) {
    const score = scores[subsetName(subset)]!
    expect(score).toBeLessThanOrEqual(all + 0.01)
    for (const modality of subset) expect(score).toBeGreaterThan(scores[modality]! - 0.01)
  }
})

test('modalities are unequal and complementary', () => {
  expect(Math.max(...single) - Math.min(...single)).toBeGreaterThanOrEqual(0.1)
  expect(Math.min(...single)).toBeGreaterThan(0.55)
  expect(all).toBeGreaterThan(Math.max(...single) + 0.03)
  expect(all).toBeLessThan(0.99)
  expect(scores.audio).toBe(Math.max(...single))
  expect(scores.camera).toBe(Math.min(...single))
})

test('with nothing to go by, everything is a guess', () => {
  expect(bestPossibleAuc({ ...OPTIONS, observations: 60, subsets: [[]] })['']).toBeCloseTo(0.5, 12)
})

/**
 * A posterior is right when, among cases to which it gives about p, a share p is present: a wrong density,
 * rate or normalization shows here first. Each third of a subset's posteriors is held to five standard errors.
 */
test('posteriors are calibrated in every subset, whether low, middling or high', () => {
  const scored = drawScoredHours({ ...OPTIONS, observations: 1200, contexts: 900 })
  for (const subset of STANDARD_SUBSETS) {
    const pairs = scored
      .posteriors(subset)
      .flatMap((row, i) => row.map((p, s) => ({ p, isPresent: scored.truths[i]!.present.includes(LABELS[s]!) })))
      .sort((a, b) => a.p - b.p)
    const third = pairs.length / 3
    for (const part of [0, 1, 2].map((k) => pairs.slice(k * third, (k + 1) * third))) {
      const mean = part.reduce((sum, { p }) => sum + p, 0) / part.length
      const share = part.filter(({ isPresent }) => isPresent).length / part.length
      const error = Math.sqrt(part.reduce((sum, { p }) => sum + p * (1 - p), 0)) / part.length
      expect(Math.abs(share - mean), `${subsetName(subset)}: ${share} for ${mean}`).toBeLessThan(5 * error)
    }
  }
})
