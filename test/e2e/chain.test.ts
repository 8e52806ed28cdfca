/** The chain on real surveys, in small: what the edge has stored is what the trainer computes. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { COMMAND } from '#test/demo/process.ts'
import { hasMosquitto } from '#test/support/mosquitto.ts'
import { realData } from '#test/support/real-data.ts'

const run = promisify(execFile)
const surveys = realData('sdm-disdat')

type Result = {
  readonly maxAbsProbabilityDifference: number
  readonly auc: { readonly edge: Readonly<Record<string, number>>; readonly trainer: Readonly<Record<string, number>> }
  readonly average: number
  readonly seed: number
  readonly seconds: number
}

const chain = async (folder: string, strategy: string): Promise<Result> => {
  const args = ['chain', '--data', `${surveys.path}/${folder}`, '--strategy', strategy, '--quick', '--json']
  const { stdout } = await run(process.execPath, [COMMAND, ...args], { maxBuffer: 1 << 26 })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Result
}

const check = (result: Result, subsets: readonly string[]): void => {
  const { edge, trainer } = result.auc
  expect(result.maxAbsProbabilityDifference).toBeLessThanOrEqual(1e-5)
  expect(Object.keys(edge)).toEqual(Object.keys(trainer))
  for (const [subset, value] of Object.entries(edge))
    expect(Math.abs(value - trainer[subset]!)).toBeLessThanOrEqual(1e-4)
  for (const subset of subsets) expect(edge[subset], subset).toBeGreaterThan(0.55)
  const values = Object.values(edge)
  expect(result.average).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6)
}

const canRun = surveys.isHere && hasMosquitto()

test.skipIf(!canRun)('trees of Switzerland, with MIAM', { timeout: 240_000 }, async () => {
  check(await chain('SWI', 'miam'), ['climate', 'soil', 'cover', 'location', 'all'])
})

test.skipIf(!canRun)('birds of Ontario with image windows, without imbalance', { timeout: 240_000 }, async () => {
  check(await chain('CAN', 'uniform'), ['climate', 'landcover', 'location', 'satellite_image', 'all'])
})
