import { expect, test } from 'vitest'
import { type Comparison, judgeModel } from './gate.ts'

const measured = { average: 0.8 }
const compared = (before: number, after: number): Comparison => ({ before, after, subsets: ['all'], labels: ['fox'] })
const verdict = (comparison: Comparison | null, hasCurrent = true, it = measured) =>
  judgeModel(it, comparison, { hasCurrent, tolerance: 0.02 })

test('a better one, an equal one and one within the tolerance are published', () => {
  for (const after of [0.9, 0.8, 0.79]) expect(verdict(compared(0.8, after)).kind).toBe('publish')
})

test('a worse one is refused, and the reason has the numbers', () => {
  expect(verdict(compared(0.8, 0.77))).toEqual({
    kind: 'refuse',
    reason: "its mean score is 0.7700, the current model's 0.8000: more than 0.02 lower",
    comparison: compared(0.8, 0.77),
  })
})

test('what could not be measured or compared is refused; a first model needs no comparison', () => {
  expect(verdict(compared(Number.NaN, 0.9)).kind).toBe('refuse')
  expect(verdict(null).kind).toBe('refuse')
  expect(verdict(null, false).kind).toBe('publish')
  expect(verdict(null, false, { average: Number.NaN }).kind).toBe('refuse')
})
