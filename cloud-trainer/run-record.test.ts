import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseCommand } from './command-line.ts'
import { SERVE_OPTIONS, serviceConfigOf } from './config.ts'
import { referenceRun } from './plan-run.ts'
import { OUTCOME_FILE, type Outcome, openRuns, readOutcome } from './run-record.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runs-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const recipe = () => {
  const parsed = parseCommand(['--broker', 'mqtt://localhost', '--state', folder], SERVE_OPTIONS, [])
  if (parsed === 'help') throw new Error('no help wanted')
  return serviceConfigOf(parsed.values, true).recipe
}

/** As the first version of the service left them. */
const oldOutcome = (kind: 'publish' | 'refuse') => ({
  kind: 'trained',
  dataHash: 'abc',
  examples: { train: 90, validation: 20 },
  start: 'parent',
  strategy: { name: 'miam' },
  epochs: 30,
  selectedEpoch: 20,
  scores: [{ subset: 'all', value: 0.8, low: 0.7, high: 0.9 }],
  calibrationError: { before: 0.1, after: 0.05 },
  verdict: {
    kind,
    ...(kind === 'refuse' ? { reason: 'worse' } : {}),
    comparison: { before: 0.8, after: 0.81, subsets: ['all'], labels: ['fox'] },
  },
  warnings: [],
  notes: [],
  host: 'linux-x64',
  seconds: 12,
})
const oldRun = (number: number, kind: 'publish' | 'refuse') => ({
  schema: 'run/1',
  number,
  createdAtMs: 1,
  family: 'valley',
  parent: null,
  parentRun: null,
  recipe: recipe(),
  storeFile: '/cloud.db',
  tolerance: 0.02,
  minimumPositives: 5,
  labelled: 200,
  failures: 0,
  state:
    kind === 'refuse'
      ? { kind: 'refused' }
      : { kind: 'published', version: `valley@${number}`, releaseCounter: number, generation: number },
  outcome: oldOutcome(kind),
})

test('records of before traffic was counted are read: new models are then held to the current one', async () => {
  const runs = openRuns(folder)
  await runs.list()
  for (const [number, kind] of [
    [1, 'publish'],
    [2, 'publish'],
    [3, 'refuse'],
  ] as const) {
    await runs.write(oldRun(number, kind) as never)
  }
  const known = await runs.list()
  expect(known.map(({ traffic, trafficShare, referenceRun: of }) => [traffic, trafficShare, of])).toEqual(
    new Array(3).fill([[], 0.01, null]),
  )
  expect(known[2]?.outcome).toMatchObject({ reference: null, heldTo: null, verdict: { fell: [] } })
  expect(referenceRun(known)).toBe(2)
})

test('what could not be measured is read as it was written', async () => {
  const nothing = {
    subset: 'audio',
    predictions: 30,
    before: 0.8,
    after: Number.NaN,
    low: Number.NaN,
    high: Number.NaN,
  }
  const outcome = {
    ...oldOutcome('refuse'),
    calibrationError: { before: Number.NaN, after: Number.NaN },
    verdict: {
      kind: 'refuse',
      reason: 'unmeasured',
      comparison: { before: Number.NaN, after: 0.8, subsets: [], labels: [], judged: [nothing] },
      fell: [{ ...nothing, against: 'current' }],
    },
    reference: null,
    heldTo: 4,
  } as unknown as Outcome
  writeFileSync(join(folder, OUTCOME_FILE), JSON.stringify(outcome))
  expect(await readOutcome(folder)).toEqual(outcome)
})
