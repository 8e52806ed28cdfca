import { expect, test } from 'vitest'
import { currentRun, type PlanOptions, planRun, referenceRun } from './plan-run.ts'
import type { Run } from './run-record.ts'

const published = { kind: 'published', version: 'valley@1', releaseCounter: 1, generation: 1 } as const
/** Only what planning looks at. */
const run = (labelled: number, state: Run['state'] = published): Run => ({ number: labelled, labelled, state }) as Run

const options: PlanOptions = { isTraining: true, maxModels: null, firstAfterLabels: 100, retrainAfterLabels: 50 }
const plan = (runs: readonly Run[], labelled: number, changes: Partial<PlanOptions> = {}, clockStruck = false) =>
  planRun(runs, labelled, clockStruck, { ...options, ...changes })

test('the first run waits for its labels, later ones for new ones since the last', () => {
  expect(plan([], 99)).toBeNull()
  expect(plan([], 100)).toBe('first-labels')
  expect(plan([run(100)], 149)).toBeNull()
  expect(plan([run(100)], 150)).toBe('new-labels')
})

test('a run that failed or was refused is not repeated with the same data', () => {
  for (const kind of ['failed', 'refused'] as const) {
    expect(plan([run(100, { kind })], 149)).toBeNull()
    expect(plan([run(100, { kind })], 150)).toBe('new-labels')
  }
})

test('the clock asks for something new as well', () => {
  expect(plan([], 0, {}, true)).toBeNull()
  expect(plan([], 1, {}, true)).toBe('clock')
  expect(plan([run(100)], 100, {}, true)).toBeNull()
  expect(plan([run(100)], 101, {}, true)).toBe('clock')
})

test('enough models are enough, and no training is none', () => {
  const two = [run(100), run(150, { kind: 'refused' }), run(200)]
  expect(plan(two, 1000, { maxModels: 3 })).toBe('new-labels')
  expect(plan(two, 1000, { maxModels: 2 }, true)).toBeNull()
  expect(plan([], 1000, { isTraining: false }, true)).toBeNull()
})

test('the current model is that of the last published run', () => {
  expect(currentRun([])).toBeNull()
  expect(currentRun([run(1), run(2), run(3, { kind: 'refused' })])?.number).toBe(2)
})

test('new models are held to the current one, or to the one that it lost something against', () => {
  const trained = (number: number, heldTo: number | null, state: Run['state'] = published): Run =>
    ({ ...run(number, state), outcome: { kind: 'trained', heldTo } }) as Run
  expect(referenceRun([])).toBeNull()
  expect(referenceRun([trained(1, null)])).toBe(1)
  expect(referenceRun([trained(1, null), trained(2, 1)])).toBe(1)
  expect(referenceRun([trained(1, null), trained(2, 1), trained(3, 1, { kind: 'refused' })])).toBe(1)
  expect(referenceRun([trained(1, null), trained(2, 1), trained(3, null)])).toBe(3)
})
