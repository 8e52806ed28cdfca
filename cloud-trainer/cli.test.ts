import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generatePrivateKey } from '#shared/bundle/keys.ts'
import { holdFile } from '#shared/platform/sqlite.ts'
import { randomStream } from '#shared/std/random.ts'
import { captureOutput } from '#test/support/captured-output.ts'
import { trainerCommand } from './cli.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainer-'))
  const random = randomStream(1, 'table')
  const lines = Array.from({ length: 120 }, (_, i) => {
    const [t, rain] = [random.normal(), random.normal()]
    return [`s${i}`, i % 4, t.toFixed(3), rain.toFixed(3), t > 0 ? 1 : 0, rain > 0 ? 1 : 0].join(',')
  })
  writeFileSync(join(folder, 'table.csv'), `site,fold,t,rain,fox,owl\n${lines.join('\n')}\n`)
  const description = {
    schema: 'dataset/1',
    table: 'table.csv',
    id: 'site',
    split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
    labels: { file: 'table.csv', columns: ['fox', 'owl'] },
    modalities: [
      { kind: 'tabular', name: 'weather', columns: ['t'] },
      { kind: 'tabular', name: 'rain', columns: ['rain'] },
    ],
  }
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify(description))
})
afterAll(() => rmSync(folder, { recursive: true }))

const captured = captureOutput()

const trainer = (...args: string[]): Promise<number> => trainerCommand(args)
const lastLine = (text: string): unknown => JSON.parse(text.trimEnd().split('\n').at(-1)!)
const TINY = [
  '--width',
  '8',
  '--layers',
  '1',
  '--heads',
  '2',
  '--workers',
  '1',
  '--resamples',
  '10',
  '--batch-size',
  '16',
]

describe('words', () => {
  test('each command has its help', async () => {
    expect(await trainer('--help')).toBe(0)
    for (const word of ['train', 'evaluate', 'export', 'experiment', 'insight', 'serve']) {
      expect(await trainer(word, '--help')).toBe(0)
      expect(captured.out).toContain(`understory trainer ${word} –`)
    }
    for (const line of captured.out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })

  test('wrong use is 2, says what is wrong and where help is', async () => {
    const cases: readonly (readonly [args: readonly string[], message: string])[] = [
      [[], ''],
      [['bake'], 'there is no command "bake"'],
      [['train'], '--out is needed'],
      [['train', '--out', 'x'], 'one of --data and --store is needed'],
      [['train', '--out', 'x', '--data', 'a', '--store', 'b'], 'one of --data and --store is needed'],
      [['train', '--out', 'x', '--data', 'a', '--epochs', 'many'], '--epochs: must be a whole number'],
      [['train', '--out', 'x', '--data', 'a', '--epochs', '0'], '--epochs: '],
      [['train', '--out', 'x', '--data', 'a', '--heads', '7'], '--width 64 is not divisible by --heads 7'],
      [['train', '--out', 'x', '--data', 'a', '--strategy', 'luck'], '--strategy: '],
      [['train', '--out', 'x', '--data', 'a', '--precision', 'int4'], '--precision: '],
      [['export', '--checkpoint', folder, '--out', 'x', '--precision', 'int4'], '--precision: '],
      [['train', '--colour', 'red'], "Unknown option '--colour'"],
      [['export', '--checkpoint', folder, '--out', 'x'], 'holds no run'],
      [['serve', '--state', 'x'], '--broker is needed'],
      [['serve', '--state', 'x', '--broker', 'http://x'], '--broker: must be like mqtt://host:1883'],
      [['serve', '--state', 'x', '--broker', 'mqtt://x', '--zone', 'Mars/Base'], 'no IANA time zone'],
    ]
    for (const [args, message] of cases) {
      captured.told = ''
      expect(await trainer(...args), args.join(' ')).toBe(2)
      expect(captured.told).toContain(message)
    }
  })

  test('a wrong configuration is 78, with a hint', async () => {
    const state = join(folder, 'state')
    expect(await trainer('serve', '--state', state, '--broker', 'mqtt://127.0.0.1:1', '--cron', 'whenever')).toBe(78)
    expect(captured.told).toContain('--cron: no cron expression')
    writeFileSync(join(state, 'keys', 'director.pem'), generatePrivateKey().replace(/[A-Z]/g, 'x'))
    expect(await trainer('serve', '--state', state, '--broker', 'mqtt://127.0.0.1:1')).toBe(78)
    expect(captured.told).toContain('restore it from its backup')
    using _held = holdFile(join(state, 'lock'))!
    expect(await trainer('serve', '--state', state, '--broker', 'mqtt://127.0.0.1:1')).toBe(78)
    expect(captured.told).toContain(`another service is running on ${state}`)
  })

  test('wrong data are 1, and named', async () => {
    expect(await trainer('train', '--data', join(folder, 'nowhere'), '--out', join(folder, 'x'))).toBe(1)
    expect(captured.told).toContain('neither dataset.json nor modalities.json is there')
    expect(await trainer('train', '--store', join(folder, 'nowhere.db'), '--out', join(folder, 'x'))).toBe(1)
    expect(captured.told).toContain('nowhere.db: there is no such file')
    expect(captured.told).not.toContain('    at ')
  })
})

test('train, evaluate and export speak of the same model', async () => {
  const bundle = join(folder, 'bundle')
  const data = ['--data', folder]
  expect(
    await trainer('train', ...data, '--out', bundle, '--epochs', '3', ...TINY, '--partial', 'weather.t', '--json'),
  ).toBe(0)
  const trained = lastLine(captured.out) as { average: number; auc: { test: Record<string, number> }; dataHash: string }
  expect(Object.keys(trained.auc.test)).toEqual(['weather.t', 'weather', 'rain', 'all'])
  expect(captured.out).toMatch(/subset +AUC +95 % interval\n/)
  expect(captured.told).toContain('epoch 3/3: loss')

  expect(await trainer('evaluate', ...data, '--bundle', bundle, '--resamples', '10', '--json')).toBe(0)
  const evaluated = lastLine(captured.out) as { scores: { subset: string; value: number }[] }
  expect(evaluated).toMatchObject({ part: 'test', observations: 30, labels: ['fox', 'owl'] })
  for (const { subset, value } of evaluated.scores) expect(value).toBeCloseTo(trained.auc.test[subset]!, 6)
  expect(await trainer('evaluate', ...data, '--bundle', folder)).toBe(1)
  expect(captured.told).toContain('is no manifest')

  // Another recipe is another run: it does not go on from these checkpoints, and leaves them as they are.
  expect(await trainer('train', ...data, '--out', bundle, '--seed', '9', ...TINY)).toBe(1)
  expect(captured.told).toContain('seed was 1, is 9')
  expect(await trainer('export', '--checkpoint', `${bundle}.run`, '--out', join(folder, 'again'), '--json')).toBe(0)
  expect(lastLine(captured.out)).toMatchObject({ epochs: 3, average: trained.average, dataHash: trained.dataHash })

  const half = ['--out', join(folder, 'half'), '--precision', 'fp16', '--json']
  expect(await trainer('export', '--checkpoint', `${bundle}.run`, ...half)).toBe(0)
  expect(captured.out).toMatch(/^fp16: \d+ kB instead of \d+ kB, .* on the \w+ part \(allowed 0\.20\)$/m)
  expect(captured.out).toMatch(/^calibration error 0\.\d{3} to 0\.\d{3} in 3 groups \(test part; goal 0\.05\)$/m)
  const smaller = lastLine(captured.out) as { precision: { kind: string; bytes: number; float32Bytes: number } }
  expect(smaller.precision.kind).toBe('fp16')
  expect(smaller.precision.bytes).toBeLessThan(smaller.precision.float32Bytes)
  expect(await trainer('evaluate', ...data, '--bundle', join(folder, 'half'), '--resamples', '10')).toBe(0)

  const others = join(folder, 'other-labels')
  mkdirSync(others)
  for (const file of ['dataset.json', 'table.csv']) {
    const text = readFileSync(join(folder, file), 'utf8')
    writeFileSync(join(others, file), text.replaceAll('fox', 'lynx').replaceAll('owl', 'hare'))
  }
  expect(await trainer('evaluate', '--data', others, '--bundle', bundle)).toBe(2)
  expect(captured.told).toContain('--bundle: none of its labels')
  expect(await trainer('train', ...data, '--out', join(folder, 'x'), ...TINY, '--partial', 'weather.x')).toBe(2)
  expect(captured.told).toContain('--partial: no token "weather.x"; there are weather.t, rain.rain')
  expect(await trainer('train', ...data, '--out', others, '--epochs', '1', ...TINY)).toBe(2)
  expect(captured.told).toContain('holds more than a bundle (dataset.json)')
  expect(readdirSync(others)).toEqual(['dataset.json', 'table.csv'])
}, 30_000)

test('a column that names the class of each row makes a single-label model, measured by Top-1', async () => {
  const places = join(folder, 'places')
  const bundle = join(folder, 'place-model')
  mkdirSync(places)
  const random = randomStream(2, 'places')
  const lines = Array.from({ length: 160 }, (_, i) => {
    const place = ['wood', 'fen', 'heath'][random.index(3)]!
    const [wet, sour] = [place === 'fen' ? 1 : -1, place === 'heath' ? 1 : -1].map((x) => x + 0.4 * random.normal())
    return [`s${i}`, i % 4, wet!.toFixed(3), sour!.toFixed(3), i % 40 === 7 ? '' : place].join(',')
  })
  writeFileSync(join(places, 'table.csv'), `site,fold,wet,sour,place\n${lines.join('\n')}\n`)
  const description = {
    schema: 'dataset/1',
    table: 'table.csv',
    id: 'site',
    split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
    labels: { class: 'place' },
    modalities: [
      { kind: 'tabular', name: 'water', columns: ['wet'] },
      { kind: 'tabular', name: 'soil', columns: ['sour'] },
    ],
  }
  writeFileSync(join(places, 'dataset.json'), JSON.stringify(description))
  const args = ['--data', places, '--out', bundle, '--epochs', '25', '--learning-rate', '0.02', ...TINY]
  expect(await trainer('train', ...args, '--dropout', '0.05', '--json')).toBe(0)
  const trained = lastLine(captured.out) as { top1: { test: Record<string, number> }; scores: { metric: string }[] }
  expect(trained.scores.map(({ metric }) => metric)).toEqual(['top-1', 'top-1', 'top-1'])
  expect(trained.top1.test.all).toBeGreaterThan(0.8)
  expect(trained.top1.test.water).toBeLessThan(trained.top1.test.all!)
  expect(captured.out).toMatch(/subset +Top-1 +95 % interval\n/)
  expect(captured.told).toMatch(/epoch 25\/25: loss [0-9.]+, Top-1 water 0\./)

  expect(await trainer('evaluate', '--data', places, '--bundle', bundle, '--resamples', '10', '--json')).toBe(0)
  const evaluated = lastLine(captured.out) as { labels: string[]; scores: { subset: string; value: number }[] }
  expect(evaluated.labels).toEqual(['fen', 'heath', 'wood'])
  for (const { subset, value } of evaluated.scores) expect(value).toBeCloseTo(trained.top1.test[subset]!, 12)
  expect(await trainer('evaluate', '--data', folder, '--bundle', bundle)).toBe(2)
  expect(captured.told).toContain('--data: they are multi-label, the bundle is single-label')
}, 30_000)

test('a signal leaves a checkpoint, from which the same command goes on', async () => {
  const bundle = join(folder, 'stopped')
  const args = ['trainer', 'train', '--data', folder, '--out', bundle, ...TINY, '--epochs', '400']
  const command = join(import.meta.dirname, '../scripts/understory.ts')
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  let text = ''
  child.stderr.on('data', (chunk) => {
    text += String(chunk)
    if (text.includes('epoch 2/400')) child.kill('SIGINT')
  })
  expect(await exited).toEqual([130, null])
  expect(readdirSync(folder)).not.toContain('stopped')
  expect(readdirSync(`${bundle}.run`)).toContain('settings.json')
  expect(await trainer('export', '--checkpoint', `${bundle}.run`, '--out', bundle)).toBe(0)
  expect(captured.told).toContain('resumed in epoch')
}, 30_000)
