import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Comparison, heldTo, judgeModel, type Rival, type SubsetChange } from './gate.ts'

const measured = { average: 0.8 }
const nan = Number.NaN
const change = (subset: string, before: number, after: number, margin = 0.01): SubsetChange => ({
  subset,
  predictions: 120,
  before,
  after,
  low: after - before - margin,
  high: after - before + margin,
})
const compared = (before: number, after: number, judged: readonly SubsetChange[] = []): Comparison => ({
  before,
  after,
  subsets: ['all'],
  labels: ['fox'],
  judged,
})
const current = (comparison: Comparison | null): Rival => ({ role: 'current', run: 7, comparison })
const reference = (comparison: Comparison | null): Rival => ({ role: 'reference', run: 3, comparison })
const verdict = (...rivals: readonly Rival[]) => judgeModel(measured, rivals, { tolerance: 0.02 })

describe('the mean', () => {
  test('may fall within the tolerance', () => {
    for (const after of [0.9, 0.8, 0.79]) expect(verdict(current(compared(0.8, after)))).toEqual({ kind: 'publish' })
  })

  test('further is refused, and the reason has the numbers', () => {
    expect(verdict(current(compared(0.8, 0.77)))).toEqual({
      kind: 'refuse',
      reason: "its mean score is 0.7700, the current model's 0.8000: more than 0.02 lower",
      fell: [],
    })
  })

  test('what could not be measured or compared is refused; a first model needs no comparison', () => {
    expect(verdict(current(compared(nan, 0.9))).kind).toBe('refuse')
    expect(verdict(current(null)).kind).toBe('refuse')
    expect(verdict().kind).toBe('publish')
    expect(judgeModel({ average: nan }, [], { tolerance: 0.02 }).kind).toBe('refuse')
  })
})

describe('a subset with real traffic', () => {
  test('that fell beyond the tolerance and beyond chance refuses a model whose mean has not', () => {
    const fell = change('audio', 0.7, 0.6, 0.04)
    expect(verdict(current(compared(0.8, 0.81, [change('all', 0.8, 0.9), fell])))).toEqual({
      kind: 'refuse',
      reason:
        'on "audio" (120 recent predictions) its score is 0.6000, the current model\'s 0.7000: more than 0.02 lower, ' +
        '95 % interval of the change -0.1400 to -0.0600',
      fell: [{ ...fell, against: 'current' }],
    })
  })

  test('that fell as chance may have it, or less than the tolerance, refuses nothing', () => {
    expect(verdict(current(compared(0.8, 0.8, [change('audio', 0.7, 0.6, 0.11)]))).kind).toBe('publish')
    expect(verdict(current(compared(0.8, 0.8, [change('audio', 0.7, 0.69, 0.001)]))).kind).toBe('publish')
  })

  test('that could not be measured refuses, and says what is missing', () => {
    for (const missing of [
      { ...change('audio', nan, 0.9), low: nan, high: nan },
      { ...change('audio', 0.9, nan), low: nan, high: nan },
      { ...change('audio', 0.7, 0.6), low: nan, high: nan },
      { ...change('audio', 0.7, 0.8), low: nan, high: nan },
    ]) {
      const said = verdict(current(compared(0.8, 0.8, [missing])))
      expect(said).toMatchObject({ kind: 'refuse', reason: expect.stringContaining('too few labelled observations') })
    }
  })
})

describe('a reference', () => {
  test('stops what the current model would let pass', () => {
    const said = verdict(current(compared(0.78, 0.77)), reference(compared(0.8, 0.77)))
    expect(said).toMatchObject({ kind: 'refuse', reason: expect.stringContaining("the reference model's 0.8000") })
    const fell = change('audio', 0.7, 0.65)
    expect(verdict(current(compared(0.8, 0.8)), reference(compared(0.8, 0.8, [fell])))).toMatchObject({
      fell: [{ subset: 'audio', against: 'reference' }],
    })
  })

  test('that has nothing in common with the new model judges nothing', () => {
    expect(verdict(current(compared(0.8, 0.8)), reference(null)).kind).toBe('publish')
  })

  test('is handed on only by a model that has lost nothing against it', () => {
    expect(heldTo([])).toBeNull()
    expect(heldTo([current(compared(0.8, 0.8, [change('all', 0.8, 0.8)]))])).toBeNull()
    expect(heldTo([current(compared(0.8, 0.799))])).toBe(7)
    expect(heldTo([current(compared(0.8, 0.9, [change('all', 0.8, 0.799)]))])).toBe(7)
    expect(heldTo([current(compared(0.8, 0.7)), reference(compared(0.6, 0.7))])).toBeNull()
    expect(heldTo([current(compared(0.6, 0.7)), reference(compared(0.8, 0.7))])).toBe(3)
    expect(heldTo([current(compared(0.8, 0.7)), reference(null)])).toBe(7)
  })
})

/** Numbers and, now and then, none. */
const score = fc.oneof({ weight: 9, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) }, fc.constant(nan))
const anyChange = fc
  .record({ before: score, after: score, margin: fc.double({ min: 0, max: 0.5, noNaN: true }) })
  .map(({ before, after, margin }) => change('audio', before, after, margin))
const anyComparison = fc
  .record({ before: score, after: score, judged: fc.array(anyChange, { maxLength: 4 }) })
  .map(({ before, after, judged }) => compared(before, after, judged))
const tolerance = fc.double({ min: 0, max: 0.5, noNaN: true })
const judge = (comparison: Comparison, allowed: number, role: Rival['role'] = 'current') =>
  judgeModel(measured, [{ role, run: 1, comparison }], { tolerance: allowed })

const numbersOf = ({ before, after, judged }: Comparison): readonly number[] => [
  before,
  after,
  ...judged.flatMap((it) => [it.before, it.after, it.low, it.high]),
]

describe('of all comparisons', () => {
  test('one that is published has all its numbers, and every fall in it is within the tolerance or by chance', () =>
    fc.assert(
      fc.property(anyComparison, tolerance, (comparison, allowed) => {
        if (judge(comparison, allowed).kind === 'refuse') return
        expect(numbersOf(comparison).some(Number.isNaN)).toBe(false)
        expect(comparison.before - comparison.after).toBeLessThanOrEqual(allowed)
        for (const { before, after, high } of comparison.judged) {
          expect(before - after <= allowed || high >= 0).toBe(true)
        }
      }),
    ))

  test('one that is refused lacks a number or has a fall beyond the tolerance, which is named', () =>
    fc.assert(
      fc.property(anyComparison, tolerance, (comparison, allowed) => {
        const said = judge(comparison, allowed)
        if (said.kind === 'publish' || numbersOf(comparison).some(Number.isNaN)) return
        expect(said.reason).toContain(`more than ${allowed} lower`)
        for (const { before, after, high } of said.fell) {
          expect(before - after).toBeGreaterThan(allowed)
          expect(high).toBeLessThan(0)
        }
        if (said.fell.length === 0) expect(comparison.before - comparison.after).toBeGreaterThan(allowed)
      }),
    ))

  test('more tolerance, a better model and fewer rivals never turn a publication into a refusal', () =>
    fc.assert(
      fc.property(anyComparison, tolerance, fc.double({ min: 0, max: 1, noNaN: true }), (comparison, allowed, more) => {
        const rivals: readonly Rival[] = [current(comparison), reference(comparison)]
        if (judgeModel(measured, rivals, { tolerance: allowed }).kind === 'refuse') return
        expect(judge(comparison, allowed).kind).toBe('publish')
        expect(judge(comparison, allowed + more).kind).toBe('publish')
        const better = {
          ...comparison,
          after: comparison.after + more,
          judged: comparison.judged.map((it) => ({ ...it, after: it.after + more, high: it.high + more })),
        }
        expect(judge(better, allowed).kind).toBe('publish')
      }),
    ))

  test('a model that loses nothing is published whatever the tolerance, and is the next reference', () =>
    fc.assert(
      fc.property(anyComparison, (comparison) => {
        fc.pre(!numbersOf(comparison).some(Number.isNaN))
        const same = {
          ...comparison,
          after: Math.max(comparison.before, comparison.after),
          judged: comparison.judged.map((it) => change(it.subset, it.before, Math.max(it.before, it.after))),
        }
        expect(judge(same, 0).kind).toBe('publish')
        expect(heldTo([current(same)])).toBeNull()
      }),
    ))
})
