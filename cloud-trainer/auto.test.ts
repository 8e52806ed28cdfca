/** `--strategy auto` as a person uses it: what it chose is told, recorded everywhere, and holds when a run goes on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MIDDLE } from '#test/imbalance/dials.ts'
import { writeFolder } from '#test/imbalance/runs.ts'
import { captureOutput } from '#test/support/captured-output.ts'
import { trainerCommand } from './cli.ts'
import { chooseStrategy } from './masking/auto.ts'
import { openStrategy } from './masking/strategy.ts'

const TOKENS = [3, 2, 1]
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'auto-'))
  await writeFolder(join(folder, 'data'), { ...MIDDLE, tokens: [3, 1], train: 60, validation: 40 }, 1)
})
afterAll(() => rmSync(folder, { recursive: true }))

const captured = captureOutput()

const TINY = ['--width', '8', '--layers', '1', '--heads', '2', '--workers', '1', '--resamples', '0']
const train = (out: string, epochs: number): Promise<number> =>
  trainerCommand([
    'train',
    ...['--data', join(folder, 'data'), '--out', join(folder, out), '--strategy', 'auto'],
    ...['--epochs', `${epochs}`, ...TINY, '--json'],
  ])
const manifestOf = (out: string) => JSON.parse(readFileSync(join(folder, out, 'manifest.json'), 'utf8'))

test('what it chose is told, recorded with its reason, and the same when a run goes on', async () => {
  const { strategy, reason } = chooseStrategy(TOKENS)
  const recorded = { ...openStrategy(strategy, TOKENS).parameters, chosenBy: 'auto', because: reason }
  expect(await train('once', 3)).toBe(0)
  expect(captured.told).toContain(`masks: ${strategy.name}, `)
  expect(captured.told).toContain(`because ${reason}\n`)
  expect(JSON.parse(captured.out.trimEnd().split('\n').at(-1)!).strategy).toEqual(recorded)
  expect(manifestOf('once').provenance.strategy).toEqual(recorded)

  expect(await train('in-two-goes', 1)).toBe(0)
  captured.told = ''
  expect(await train('in-two-goes', 3)).toBe(0)
  expect(captured.told).toContain('resumed in epoch 2')
  const model = (out: string) => readFileSync(join(folder, out, 'model.onnx'))
  expect(model('in-two-goes').equals(model('once'))).toBe(true)
})

test('an experiment takes it for a variant, which "all" leaves out', async () => {
  const out = join(folder, 'experiment')
  const options = [
    '--data',
    join(folder, 'data'),
    '--out',
    out,
    '--quick',
    '--epochs',
    '1',
    '--seeds',
    '1',
    '--jobs',
    '1',
  ]
  expect(await trainerCommand(['experiment', ...options, '--strategies', 'auto,uniform'])).toBe(0)
  const { runs, comparison } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'))
  expect(comparison.variants).toEqual(['auto', 'uniform'])
  expect(runs[0].strategy).toMatchObject({ ...chooseStrategy(TOKENS).strategy, chosenBy: 'auto' })
})
