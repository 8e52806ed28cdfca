import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { captureOutput } from '#test/support/captured-output.ts'
import { trainerCommand } from './cli.ts'

let folder: string
const at = (name: string): string => join(folder, name)

const description = {
  schema: 'dataset/1',
  table: 'table.csv',
  id: 'site',
  split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
  labels: { file: 'table.csv', columns: ['fox', 'owl'] },
  unlabelled: [{ table: 'points.csv' }],
  modalities: [
    { kind: 'tabular', name: 'weather', columns: ['t', 'wind'] },
    { kind: 'tabular', name: 'rain', columns: ['rain'] },
  ],
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pretrain-'))
  const random = randomStream(1, 'table')
  const draw = () => {
    const [t, noise] = [random.normal(), random.normal()]
    return [t.toFixed(3), (0.3 * noise - t).toFixed(3), (t + 0.5 * random.normal()).toFixed(3)] as const
  }
  const lines = Array.from({ length: 120 }, (_, i) => {
    const [t, wind, rain] = draw()
    return [`s${i}`, i % 4, t, wind, rain, Number(t) > 0 ? 1 : 0, Number(rain) > 0 ? 1 : 0].join(',')
  })
  writeFileSync(at('table.csv'), `site,fold,t,wind,rain,fox,owl\n${lines.join('\n')}\n`)
  const points = Array.from({ length: 200 }, (_, i) => `p${i},${draw().join(',')}`)
  writeFileSync(at('points.csv'), `site,t,wind,rain\n${points.join('\n')}\n`)
  writeFileSync(at('dataset.json'), JSON.stringify(description))
})
afterAll(() => rmSync(folder, { recursive: true }))

const captured = captureOutput()
const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1)!)

const SIZES = ['--width', '8', '--layers', '1', '--heads', '2', '--feed-forward', '16']
const COURSE = ['--workers', '1', '--batch-size', '16', '--epochs', '3']
const pretrain = (...args: string[]) => trainerCommand(['pretrain', '--data', folder, ...SIZES, ...COURSE, ...args])
const train = (...args: string[]) =>
  trainerCommand(['train', '--data', folder, ...COURSE, '--resamples', '0', '--json', ...args])

test('pre-train, then fine-tune and probe on a share of the labels', async () => {
  expect(await pretrain('--out', at('encoder'), '--strategy', 'uniform', '--json')).toBe(0)
  const made = lastLine(captured.out)
  expect(made).toMatchObject({ schema: 'pretraining/1', rows: { train: 260, unlabelled: 200, validation: 30 } })
  expect(made.strategy).toMatchObject({ name: 'uniform' })
  expect(made.epochs.map(({ epoch }: { epoch: number }) => epoch)).toEqual([1, 2, 3])
  expect(made.anyToAny).toMatchObject({ part: 'test', observations: 30 })
  expect(captured.out).toContain('explained of one modality by all others')
  expect(captured.out).toMatch(/^weather {2}model \d\.\d+ {2}ridge \d\.\d+$/m)
  expect(captured.told).toContain('explained weather')
  const csv = readFileSync(at('encoder/any-to-any.csv'), 'utf8').trim().split('\n')
  expect(csv.map((line) => line.split(',').slice(0, 3).join())).toEqual([
    'from,group,to',
    'weather,single,rain',
    'rain,single,weather',
  ])

  for (const [name, ...more] of [['tuned'], ['probed', '--probe']] as const) {
    expect(await train('--start-from', at('encoder'), '--label-share', '0.5', '--out', at(name), ...more)).toBe(0)
    const manifest = JSON.parse(readFileSync(at(`${name}/manifest.json`), 'utf8'))
    expect(manifest.provenance.strategy.name).toBe(name === 'probed' ? 'uniform' : 'miam')
    const settings = JSON.parse(readFileSync(at(`${name}.run/settings.json`), 'utf8'))
    expect(settings).toMatchObject({
      recipe: { model: { width: 8, layers: 1, heads: 2, feedForward: 16 } },
      start: { folder: at('encoder'), isProbe: name === 'probed' },
      labelShare: 0.5,
    })
    // The export of a run goes back to what it started from.
    const exported = ['export', '--checkpoint', at(`${name}.run`), '--out', at(`${name}-again`)]
    expect(await trainerCommand(exported)).toBe(0)
  }
  // The inputs' scales are those of all 260 rows, whatever was labelled.
  const specsOf = (name: string) => JSON.parse(readFileSync(at(`${name}/manifest.json`), 'utf8')).specs
  expect(specsOf('probed')).toEqual(specsOf('tuned'))
})

test('the same from tokens on disk', async () => {
  const results = []
  for (const [i, limit] of ['0', '2048'].entries()) {
    const place = ['--out', at(`encoder-${i}`), '--cache', at(`cache-${i}`), '--memory-limit', limit]
    expect(await pretrain(...place, '--strategy', 'uniform', '--json')).toBe(0)
    const { folder: _, seconds: __, epochs, ...made } = lastLine(captured.out)
    results.push({ ...made, epochs: epochs.map(({ seconds: ___, ...epoch }: { seconds: number }) => epoch) })
  }
  expect(readdirSync(at('cache-0'))).toEqual([expect.stringMatching(/^\w+\.tokens$/)])
  expect(existsSync(at('cache-1'))).toBe(false)
  expect(results[0]).toEqual(results[1])
  const weights = [0, 1].map((i) => readFileSync(at(`encoder-${i}/pretrained.bin`)))
  expect(weights[0]!.equals(weights[1]!)).toBe(true)
})

test('what does not fit is refused by name', async () => {
  expect(await pretrain('--out', at('other'), '--labelled-only')).toBe(0)
  expect(captured.out).toContain('60 rows, 0 of them without labels')
  expect(captured.told).toContain('no rows beside the training part')
  const start = ['--out', at('x'), '--start-from', at('other')]
  const cases: readonly (readonly [args: readonly string[], code: number, message: string])[] = [
    [['--out', at('x'), '--probe'], 2, '--probe needs the encoder of --start-from'],
    [['--out', at('x'), '--start-from', folder], 2, 'holds no model of "trainer pretrain": there is no pretrained.bin'],
    [[...start, '--width', '16'], 2, '--width 16: the pre-trained model has 8'],
    [[...start, '--mask-mode=replace'], 2, '--mask-mode replace: the pre-trained model has drop'],
    [[...start, '--probe', '--kappa', '5'], 2, '--kappa: a probe keeps the masking of its pre-training'],
    [[...start, '--modalities', 'rain'], 2, 'modalities were weather, rain, are rain'],
    [['--out', at('x'), '--label-share', '0'], 2, '--label-share: '],
  ]
  for (const [args, code, message] of cases) {
    expect(await train(...args)).toBe(code)
    expect(captured.told).toContain(message)
  }
  const [weather, rain] = description.modalities
  const others = { ...description, modalities: [{ ...weather, columns: ['wind', 't'] }, rain] }
  const copy = at('copy')
  cpSync(at('table.csv'), join(copy, 'table.csv'))
  writeFileSync(join(copy, 'dataset.json'), JSON.stringify(others))
  expect(await trainerCommand(['train', '--data', copy, ...start])).toBe(2)
  expect(captured.told).toContain('weather.variables was "t, wind", is "wind, t"')

  const bytes = readFileSync(at('other/pretrained.bin'))
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(at('other/pretrained.bin'), bytes)
  expect(await train(...start)).toBe(2)
  expect(captured.told).toContain('its bytes do not match their hash')
})

test('data that know nothing are for pre-training alone', async () => {
  const blank = at('blank')
  cpSync(at('table.csv'), join(blank, 'table.csv'))
  const { labels: _, unlabelled: __, ...rest } = description
  writeFileSync(join(blank, 'dataset.json'), JSON.stringify(rest))
  const own = ['pretrain', '--data', blank, ...SIZES, ...COURSE, '--out', at('blank-encoder')]
  expect(await trainerCommand(own)).toBe(0)
  expect(await trainerCommand(['train', '--data', blank, '--out', at('x')])).toBe(1)
  expect(captured.told).toContain('the set has no labels')
  expect(await train('--start-from', at('blank-encoder'), '--out', at('from-blank'))).toBe(0)

  expect(await pretrain('--out', at('x'), '--strategy', 'none')).toBe(1)
  expect(captured.told).toContain('the strategy "none" hides nothing')
  rmSync(at('points.csv'))
  expect(await pretrain('--out', at('x'))).toBe(1)
  expect(captured.told).toContain('points.csv: there is no such file')
})
