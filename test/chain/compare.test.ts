import { expect, test } from 'vitest'
import type { Subset } from '#cloud/model/subset.ts'
import type { DeploymentId, ModelVersion } from '#shared/domain/ids.ts'
import { observationId } from '#shared/domain/ids.ts'
import { compare, complaintsOf, formatTable } from './compare.ts'
import { lossesOf } from './losses.ts'
import type { Showing } from './plan.ts'
import type { StationRun } from './station-run.ts'

const subset = (name: string, group: Subset['group']): Subset => ({ name, group, hidden: Uint8Array.of(0) })

/** Two labels of four sites, row by row. The second label lacks negatives. */
const LABELS = Float32Array.of(1, 1, 0, 1, 1, 1, 0, 1)
const TRAINER = Float64Array.of(0.2, 0.5, 0.1, 0.5, 0.9, 0.5, 0.6, 0.5)

const comparison = (edge: readonly number[], trainer: Float64Array = TRAINER) =>
  compare([{ subset: subset('all', 'all'), edge: Float64Array.from(edge), trainer }], LABELS, 2, 1)

test('equal answers: equal tables over the labels that have both classes, and nothing to complain of', () => {
  const equal = comparison([...TRAINER])
  expect(equal.evaluated).toEqual([0])
  expect(equal.subsets).toEqual([
    { name: 'all', group: 'all', edge: 0.75, trainer: 0.75, maxAbsProbabilityDifference: 0, sites: 4 },
  ])
  expect([equal.average, complaintsOf(equal)]).toEqual([{ edge: 0.75, trainer: 0.75 }, []])
})

test('what differs is complained of, also in labels that are not evaluated', () => {
  const check = (at: number, by: number, complaints: readonly unknown[]) => {
    const edge = [...TRAINER]
    edge[at]! += by
    expect(complaintsOf(comparison(edge))).toEqual(complaints)
  }
  check(1, 9e-6, [])
  check(1, -2e-5, [expect.stringContaining('probabilities differ by')])
  check(0, 0.5, [expect.stringContaining('probabilities differ by'), expect.stringContaining('AUCs differ by')])
})

test('sites without an answer are left out of both tables', () => {
  const without = comparison([...TRAINER.subarray(0, 6), Number.NaN, Number.NaN])
  expect(without.subsets[0]).toMatchObject({ edge: 1, trainer: 1, sites: 3 })
  const none = comparison(LABELS.length === 8 ? new Array(8).fill(Number.NaN) : [])
  expect(none.subsets[0]).toMatchObject({ sites: 0, edge: 0.5, trainer: 0.5 })
  const noLabels = compare([], LABELS, 2, 5)
  expect(complaintsOf({ ...noLabels, maxAbsAucDifference: Number.NaN })).toHaveLength(1)
})

test('the last bits of a sum rank nobody', () => {
  const tied = Float64Array.of(0.3, 0, 0.3, 0, 0.3, 0, 0.3, 0)
  const shaken = [0.3, 0, 0.3 + 3e-8, 0, 0.3 + 1e-8, 0, 0.3 + 2e-8, 0]
  expect(comparison(shaken, tied).subsets[0]).toMatchObject({ edge: 0.5, trainer: 0.5 })
})

test('the table', () => {
  const half = Float64Array.from(TRAINER, (p, i) => (i === 0 ? 0.95 : p))
  const both = compare(
    [
      { subset: subset('climate', 'single'), edge: half, trainer: TRAINER },
      { subset: subset('soil', 'single'), edge: TRAINER, trainer: TRAINER },
      { subset: subset('all', 'all'), edge: half, trainer: half },
    ],
    LABELS,
    2,
    1,
  )
  expect(formatTable(both)).toMatchInlineSnapshot(`
    "macro AUC %                  edge  trainer  max |Δp|
    climate                    100.00    75.00  7.5e-1
    soil                        75.00    75.00  0.0e+0
    all                        100.00   100.00  0.0e+0
    ─────────────────────────────────────────────────────
    mean: one modality          87.50    75.00
    mean: all                  100.00   100.00
    mean of all subsets         91.67    83.33"
  `)
})

const showing = (n: number, readings: number): Showing => ({
  site: n,
  subset: 0,
  deployment: `d${n}` as DeploymentId,
  window: { startMs: 0, endMs: 1 },
  observation: observationId(`d${n}` as DeploymentId, 0),
  readings: new Array(readings).fill({}),
})

test('losses are told', () => {
  const version = 'chain@000000000001' as ModelVersion
  const run = {
    version,
    sent: { messages: 3, resent: 0 },
    counts: { readings: 3, observations: 2, revisions: 3, predictions: 3, rejected: 0, waiting: 0 },
    predictions: [1, 2].map((n) => ({
      observation: `d${n}/0`,
      model: version,
      readings: n,
      labels: ['owl'],
      probabilities: [0.5],
    })),
  }
  const showings = [showing(0, 0), showing(1, 1), showing(2, 2)]
  const check = (change: Partial<StationRun>, losses: readonly string[]) =>
    expect(lossesOf(showings, { ...run, ...change })).toEqual(losses)
  check({}, [])
  check({ counts: { ...run.counts, readings: 2 } }, ['3 readings were sent, 2 are stored'])
  check({ counts: { ...run.counts, rejected: 1 } }, ['1 readings were rejected'])
  check({ predictions: run.predictions.slice(1) }, ['1 of 2 observations lack readings or their prediction'])
  check({ predictions: run.predictions.map((it) => ({ ...it, readings: 1 })) }, [
    '1 of 2 observations lack readings or their prediction',
  ])
  check({ counts: { ...run.counts, observations: 3 } }, ['3 observations were made of 2'])
  check({ predictions: run.predictions.map((it) => ({ ...it, model: 'chain@2' })) }, [
    `2 predictions are of another model than ${version}`,
  ])
})
