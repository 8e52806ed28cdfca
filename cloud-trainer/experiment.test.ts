/** `trainer experiment` as a person uses it: on data made here, and a quick look at real ones. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { captureOutput } from '#test/support/captured-output.ts'
import { realData } from '#test/support/real-data.ts'
import { trainerCommand } from './cli.ts'
import type { Results } from './experiment/results.ts'
import { macroAuc } from './metrics/auc.ts'

const LABELS = ['fox', 'owl']
let folder: string
/** Labels of the test part, row by row. */
let truth: readonly number[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'experiment-'))
  const random = randomStream(1, 'table')
  const rows = Array.from({ length: 160 }, (_, i) => {
    const [t, rain] = [random.normal(), random.normal()]
    const labels = [t + 0.5 * random.normal() > 0 ? 1 : 0, rain + random.normal() > 0 ? 1 : 0]
    return { fold: i % 4, labels, line: [`s${i}`, i % 4, t.toFixed(3), rain.toFixed(3), ...labels].join(',') }
  })
  truth = rows.filter(({ fold }) => fold === 3).flatMap(({ labels }) => labels)
  writeFileSync(join(folder, 'table.csv'), `site,fold,t,rain,fox,owl\n${rows.map(({ line }) => line).join('\n')}\n`)
  const description = {
    schema: 'dataset/1',
    table: 'table.csv',
    id: 'site',
    split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
    labels: { file: 'table.csv', columns: LABELS },
    modalities: [
      { kind: 'tabular', name: 'weather', columns: ['t'] },
      { kind: 'tabular', name: 'rain', columns: ['rain'] },
    ],
  }
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify(description))
})
afterAll(() => rmSync(folder, { recursive: true }))

const captured = captureOutput()

const TINY = ['--quick', '--width', '8', '--epochs', '3', '--batch-size', '16', '--resamples', '20']
const experiment = (...args: readonly string[]): Promise<number> =>
  trainerCommand(['experiment', '--data', folder, ...TINY, ...args])
const resultsIn = (place: string): Results => JSON.parse(readFileSync(join(place, 'results.json'), 'utf8'))

test('runs are done once, compared, and told in four forms that agree', async () => {
  const place = join(folder, 'runs-once')
  expect(await experiment('--strategies', 'uniform,dropout:rate=0.5', '--out', place)).toBe(0)
  expect(captured.told).toContain('4 of 4 runs to do')
  const results = resultsIn(place)
  const { comparison, runs, data } = results
  expect(data).toMatchObject({ part: 'test', observations: 40, labels: LABELS, modalities: ['weather', 'rain'] })
  expect(comparison.columns.map(({ name }) => name)).toEqual(['weather', 'rain', 'all', 'mean of single', 'average'])
  expect(comparison.baseline).toBe('uniform')
  expect(comparison.resamples).toBe(20)
  expect(runs.map(({ variant, seed }) => `${variant} ${seed}`)).toEqual([
    'uniform 1',
    'uniform 2',
    'dropout:rate=0.5 1',
    'dropout:rate=0.5 2',
  ])
  for (const { variant, seed, scores, epochs, drawn, logits } of runs) {
    expect(epochs).toHaveLength(3)
    for (const p of drawn) {
      if (variant === 'uniform') expect(p[0]).toBe(p[1])
      else expect(p.every((value) => value === 0 || value === 1)).toBe(true)
    }
    // The kept logits give the scores that are told.
    const bytes = readFileSync(join(place, 'runs', variant.replace(':', '__'), `seed-${seed}`, logits.file))
    expect(logits.shape).toEqual([3, 40, 2])
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    for (const [i, { value }] of scores.entries()) {
      const own = all.subarray(i * 80, (i + 1) * 80)
      expect(macroAuc(own, Float32Array.from(truth), 2, [0, 1])).toBeCloseTo(value, 12)
    }
  }
  const csv = readFileSync(join(place, 'results.csv'), 'utf8').trimEnd().split('\n')
  expect(csv).toHaveLength(1 + 4 * 3)
  expect(csv[1]).toBe(`uniform,1,weather,macro-auc,${runs[0]!.scores[0]!.value.toFixed(6)}`)
  const average = runs.slice(0, 2).flatMap(({ scores }) => scores.map(({ value }) => value))
  expect(comparison.cells[0]!.at(-1)!.value).toBeCloseTo(average.reduce((sum, value) => sum + value, 0) / 6, 12)
  const points = (100 * comparison.cells[0]!.at(-1)!.value).toFixed(1)
  expect(captured.out).toMatch(new RegExp(`^uniform +${points} `, 'm'))
  expect(readFileSync(join(place, 'results.md'), 'utf8')).toContain(`| **average** | ${points}`.slice(0, 15))

  const report = readFileSync(join(place, 'report.html'), 'utf8')
  expect(report).not.toMatch(/<script|<link|<img|@import|url\(|src=|https?:/)
  for (const text of ['Summary', 'Learning curves', 'weather alone', 'Calibration', '--quick', points]) {
    expect(report).toContain(text)
  }
  // Errors of calibration for each subset: means over the seeds.
  const errors = runs.slice(0, 2).map(({ calibration }) => calibration.errors.find(({ subset }) => subset === 'rain')!)
  const [after, before] = (['after', 'before'] as const).map((key) =>
    ((errors[0]![key] + errors[1]![key]) / 2).toFixed(3),
  )
  expect(report.slice(report.indexOf('calibration error</th>'))).toMatch(
    new RegExp(`>rain</th><td[^>]*>${after}<[^>]*>${before}<`),
  )
  const figures = readdirSync(join(place, 'figures'))
  expect(figures).toContain('difference-dropout-rate-0.5.svg')
  const curve = readFileSync(join(place, 'figures', 'curve-rain.svg'), 'utf8')
  expect(curve).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 0 300 238"/)
  expect(curve).toContain('>dropout:rate=0.5</text>')

  // Again, with one more strategy: only that one is done, and the others stay as they were.
  captured.told = ''
  expect(await experiment('--strategies', 'uniform,dropout:rate=0.5,miam', '--out', place, '--json')).toBe(0)
  expect(captured.told).toContain('2 of 6 runs to do')
  const more = resultsIn(place)
  expect(more.runs.slice(0, 4)).toEqual(runs)
  expect(more.comparison.cells[1]!.map(({ value }) => value)).toEqual(comparison.cells[1]!.map(({ value }) => value))
  const leaning = more.runs[4]!.epochs.map(({ masking }) => masking!.scoreRatio)
  expect(leaning[0]).toEqual([1, 1])
  const [weather, rain] = more.runs[4]!.epochs[0]!.scores
  expect(leaning[1]![0]).toBeCloseTo(Math.sqrt(weather! / rain!), 10)
  const last = JSON.parse(captured.out.trimEnd().split('\n').at(-1)!)
  expect(last).toMatchObject({ runs: 6, baseline: 'uniform', metric: 'macro-auc' })
  expect(last.average.miam.value).toBe(more.comparison.cells[2]!.at(-1)!.value)
}, 60_000)

test('an oracle has a model for each column, and columns can be chosen', async () => {
  const place = join(folder, 'oracle')
  const file = join(folder, 'columns.json')
  writeFileSync(
    file,
    JSON.stringify([
      { name: 'rain gauge', tokens: ['rain.*'] },
      { name: 'both', tokens: ['*'] },
    ]),
  )
  const args = ['--strategies', 'none,oracle,oracle:select=best', '--seeds', '1', '--subsets', file, '--out', place]
  expect(await experiment(...args)).toBe(0)
  const { comparison, runs } = resultsIn(place)
  expect(comparison.columns.map(({ name }) => name)).toEqual(['rain gauge', 'both', 'average'])
  // For everything an oracle is the model that is never masked; for less it is another one.
  expect(runs[1]!.scores[1]!.value).toBe(runs[0]!.scores[1]!.value)
  // Its best epoch is that of its own subset, whatever its model says of parts of it.
  const { epochs, selectedEpoch } = runs[2]!
  expect(epochs[selectedEpoch - 1]!.all).toBe(Math.max(...epochs.map(({ all }) => all)))
  expect(readdirSync(join(place, 'runs', 'oracle', 'seed-1', 'checkpoints'))).toEqual(['0', '1'])
}, 60_000)

test('a variant trains otherwise than the rest where it says so', async () => {
  const place = join(folder, 'own-options')
  const own = 'uniform:epochs=2:maskMode=replace:dropout=0.2'
  expect(await experiment('--strategies', `uniform,${own}`, '--baseline', own, '--seeds', '1', '--out', place)).toBe(0)
  const { comparison, runs } = resultsIn(place)
  expect(comparison.baseline).toBe('uniform:dropout=0.2:epochs=2:maskMode=replace')
  expect(comparison.variants).toEqual(['uniform', 'uniform:dropout=0.2:epochs=2:maskMode=replace'])
  expect(runs.map(({ epochs }) => epochs.length)).toEqual([3, 2])
  expect(runs[1]!.strategy).toEqual({ name: 'uniform', epochs: 2, maskMode: 'replace', dropout: 0.2 })
  // The same as an experiment whose runs all train so.
  const alone = join(folder, 'own-options-alone')
  const shared = ['--epochs', '2', '--mask-mode', 'replace', '--dropout', '0.2']
  expect(await experiment('--strategies', 'uniform', '--seeds', '1', ...shared, '--out', alone)).toBe(0)
  expect(runs[1]!.scores).toEqual(resultsIn(alone).runs[0]!.scores)
}, 60_000)

test('what is tuned is measured on the validation part, and not in the folder of the test part', async () => {
  const place = join(folder, 'tuned')
  const args = ['--strategies', 'none', '--seeds', '1', '--out', place]
  expect(await experiment(...args, '--part', 'validation')).toBe(0)
  const { data, runs } = resultsIn(place)
  expect(data).toMatchObject({ part: 'validation', observations: 40 })
  // What training itself measured after its last epoch.
  const { scores, all } = runs[0]!.epochs.at(-1)!
  for (const [i, score] of [...scores, all].entries()) expect(runs[0]!.scores[i]!.value).toBeCloseTo(score, 6)
  expect(await experiment(...args)).toBe(2)
  expect(captured.told).toContain('part was "validation", is "test"')
}, 60_000)

test('stopped by a signal, the same command goes on to the same bits', async () => {
  const straight = join(folder, 'straight')
  const stopped = join(folder, 'stopped')
  const args = ['--strategies', 'miam', '--seeds', '1', '--epochs', '60']
  const command = join(import.meta.dirname, '../scripts/understory.ts')
  const words = ['trainer', 'experiment', '--data', folder, ...TINY, ...args, '--out', stopped]
  const child = spawn(process.execPath, [command, ...words], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const checkpoints = join(stopped, 'runs', 'miam', 'seed-1', 'checkpoints')
  await vi.waitUntil(() => existsSync(join(checkpoints, 'checkpoint-a.bin')), { timeout: 30_000, interval: 5 })
  child.kill('SIGINT')
  expect(await exited).toEqual([130, null])
  expect(existsSync(join(stopped, 'results.json'))).toBe(false)
  expect(await experiment(...args, '--out', stopped)).toBe(0)
  expect(await experiment(...args, '--out', straight)).toBe(0)
  expect(resultsIn(stopped).comparison).toEqual(resultsIn(straight).comparison)
}, 60_000)

test('wrong use is told before anything is trained', async () => {
  const place = join(folder, 'wrong')
  const file = join(folder, 'wrong.json')
  writeFileSync(file, JSON.stringify([{ name: 'snow', tokens: ['snow'] }]))
  const cases: readonly (readonly [args: readonly string[], message: string])[] = [
    [['--strategies', 'best'], '--strategies: "best" is none of miam, '],
    [['--strategies', 'uniform:rate=1'], '--strategies: "uniform:rate=1": Unrecognized key: "rate"'],
    [['--strategies', 'dropout:rate=2'], '--strategies: "dropout:rate=2": Too big'],
    [['--strategies', 'miam:maskMode=keep'], '--strategies: "miam:maskMode=keep": mask-mode: Invalid option'],
    [['--strategies', 'miam:epochs=0.5'], '--strategies: "miam:epochs=0.5": epochs: must be a whole number'],
    [['--strategies', 'miam:width=10:heads=4'], '--width 10 is not divisible by --heads 4'],
    [['--strategies', 'miam:resamples=9'], '--strategies: "miam:resamples=9": Unrecognized key: "resamples"'],
    [['--strategies', 'miam,miam'], '--strategies: "miam" stands there twice'],
    [['--strategies', 'miam', '--baseline', 'none'], '--baseline: "none" is none of miam'],
    [['--strategies', 'miam', '--partial', 'snow'], '--partial: no token "snow"; there are weather.t, rain.rain'],
    [['--strategies', 'miam', '--subsets', file], '--subsets: column "snow": no token "snow"'],
    [['--strategies', 'miam', '--subsets', `${file}.not`], "can't be read as JSON"],
    [['--rate', '0.5'], "Unknown option '--rate'"],
    [['--seeds', '0'], '--seeds: '],
  ]
  for (const [args, message] of cases) {
    captured.told = ''
    expect(await experiment(...args, '--out', place), args.join(' ')).toBe(2)
    expect(captured.told).toContain(message)
  }
  expect(existsSync(place)).toBe(false)
  writeFileSync(join(folder, 'experiment.json'), '{}')
  expect(await experiment('--out', folder)).toBe(2)
  expect(captured.told).toContain('is not that of an experiment')
  // A folder is of one experiment.
  expect(await experiment('--strategies', 'none', '--seeds', '1', '--epochs', '1', '--out', place)).toBe(0)
  expect(await experiment('--strategies', 'none', '--seeds', '1', '--out', place)).toBe(2)
  expect(captured.told).toContain('holds another experiment: recipe.epochs was 1, is 3')
}, 60_000)

const swi = realData('sdm-disdat/SWI')

test.skipIf(!swi.isHere)(
  'a quick look at SWI',
  async () => {
    const place = join(folder, 'swi')
    const args = ['--data', swi.path, '--quick', '--strategies', 'miam,uniform', '--seeds', '1', '--out', place]
    expect(await trainerCommand(['experiment', ...args])).toBe(0)
    const { comparison, data } = resultsIn(place)
    expect(data).toMatchObject({ observations: 1500, modalities: ['climate', 'soil', 'terrain', 'cover', 'location'] })
    // 5 alone, 10 pairs, 5 all but one, all; three groups of more than one; the average.
    expect(comparison.columns).toHaveLength(21 + 3 + 1)
    // Two epochs of a small model already know more than nothing.
    for (const row of comparison.cells) expect(row.at(-1)!.value).toBeGreaterThan(0.52)
  },
  120_000,
)
