/** Data that are wrong, or odd but allowed, through the commands that people use; docs/datasets.md states the rules. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { npyBytes, npyHeader } from '#test/support/array-files.ts'
import { captureOutput } from '#test/support/captured-output.ts'
import { trainerCommand } from './cli.ts'
import type { Results } from './experiment/results.ts'

let place: string
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'bad-input-'))
})
afterAll(() => rmSync(place, { recursive: true }))

const captured = captureOutput()

const random = randomStream(1, 'rows')
const ROWS = Array.from({ length: 160 }, (_, i) => {
  const [t, rain] = [random.normal(), random.normal()]
  const labels = { fox: t > 0 ? 1 : 0, owl: rain > 0 ? 1 : 0 }
  return { site: `s${i}`, fold: i % 4, t: t.toFixed(3), rain: rain.toFixed(3), ...labels }
})
type Row = Readonly<Record<string, string | number>>

const weather = { kind: 'tabular', name: 'weather', columns: ['t'] }
const rain = { kind: 'tabular', name: 'rain', columns: ['rain'] }
const DESCRIPTION = {
  schema: 'dataset/1',
  table: 'table.csv',
  id: 'site',
  split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
  labels: { file: 'table.csv', columns: ['fox', 'owl'] },
  modalities: [weather, rain],
}

let folders = 0
type Case = {
  /** What becomes of each row. */
  readonly rows?: (row: (typeof ROWS)[number], i: number) => Row
  /** What the description says otherwise. */
  readonly says?: object
  /** Of the table, at the end. */
  readonly text?: (table: string) => string
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

const folderOf = ({ rows = (row) => row, says = {}, text = (table) => table, files = {} }: Case): string => {
  const folder = join(place, `${folders++}`)
  mkdirSync(folder)
  const made = ROWS.map(rows)
  const lines = [Object.keys(made[0]!), ...made.map((row) => Object.values(row))]
  writeFileSync(join(folder, 'table.csv'), text(`${lines.map((cells) => cells.join(',')).join('\n')}\n`))
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify({ ...DESCRIPTION, ...says }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

const TINY = [
  '--width',
  '8',
  '--layers',
  '1',
  '--heads',
  '2',
  '--batch-size',
  '16',
  '--resamples',
  '10',
  '--epochs',
  '2',
]

const train = (folder: string): Promise<number> =>
  trainerCommand(['train', '--data', folder, '--out', join(folder, 'bundle'), '--workers', '1', '--json', ...TINY])
const evaluate = (folder: string, bundle: string): Promise<number> =>
  trainerCommand(['evaluate', '--data', folder, '--bundle', join(bundle, 'bundle'), '--resamples', '0', '--json'])
const experiment = (folder: string): Promise<number> =>
  trainerCommand([
    ...['experiment', '--data', folder, '--out', join(folder, 'experiment')],
    ...['--strategies', 'miam', '--seeds', '1', ...TINY],
  ])

type Scores = Readonly<Record<string, number>>

/** What the three commands found, on the test part. */
const scoresOf = async (folder: string): Promise<{ trained: Scores; evaluated: Scores; compared: Scores }> => {
  const last = () => JSON.parse(captured.out.trimEnd().split('\n').at(-1)!)
  expect(await train(folder), captured.told).toBe(0)
  const trained: Scores = last().auc.test
  expect(await evaluate(folder, folder), captured.told).toBe(0)
  const scores: readonly { subset: string; value: number }[] = last().scores
  expect(await experiment(folder), captured.told).toBe(0)
  const { runs }: Results = JSON.parse(readFileSync(join(folder, 'experiment', 'results.json'), 'utf8'))
  const evaluated = Object.fromEntries(scores.map(({ subset, value }) => [subset, value]))
  const compared = Object.fromEntries(runs[0]!.scores.map(({ subset, value }) => [subset, value]))
  for (const [subset, value] of Object.entries(trained)) expect(evaluated[subset]).toBeCloseTo(value, 6)
  return { trained, evaluated, compared }
}

describe('odd, and allowed', () => {
  test('a label without positives is not learned, and not counted', async () => {
    const folder = folderOf({ rows: (row) => ({ ...row, owl: 0 }) })
    await scoresOf(folder)
    expect(captured.told).toContain('not learned for want of examples: owl')
    expect(captured.out).toContain('"labels":["fox"]')
  }, 60_000)

  test('a single label is enough', async () => {
    const { compared } = await scoresOf(folderOf({ says: { labels: { file: 'table.csv', columns: ['fox'] } } }))
    expect(Object.keys(compared)).toEqual(['weather', 'rain', 'all'])
  }, 60_000)

  test('a constant column, and a modality that nobody has, know nothing: their score is 0.5', async () => {
    const says = { modalities: [weather, rain, { kind: 'tabular', name: 'snow', columns: ['snow'] }] }
    const folder = folderOf({ says, rows: (row) => ({ ...row, rain: 7, snow: '' }) })
    const { trained, compared } = await scoresOf(folder)
    expect(captured.told).toContain('note: rain.rain: 80 × always 7 in the training part')
    expect(captured.told).toContain('note: snow.snow: 1 × no value in the training part')
    for (const scores of [trained, compared]) {
      expect([scores.rain, scores.snow, scores['rain+snow']]).toEqual([0.5, 0.5, 0.5])
      // Nothing is seen in addition, so nothing else is said.
      expect(scores['weather+snow']).toBe(scores.weather)
    }
  }, 60_000)

  test('a number that overflows is missing, like an empty cell', async () => {
    const hashOf = async (cell: string): Promise<string> => {
      const folder = folderOf({ rows: (row, i) => ({ ...row, rain: i === 5 ? cell : row.rain }) })
      expect(await train(folder)).toBe(0)
      return JSON.parse(captured.out.trimEnd().split('\n').at(-1)!).dataHash
    }
    const hash = await hashOf('')
    expect(await hashOf('1e999')).toBe(hash)
    expect(await hashOf('-1e999')).toBe(hash)
    expect(await hashOf('1e9')).not.toBe(hash)
  }, 60_000)

  test('twelve modalities: without pairs, and Shapley values from sampled orders', async () => {
    const names = Array.from({ length: 12 }, (_, m) => `m${m}`)
    const folder = folderOf({
      says: { modalities: names.map((name) => ({ kind: 'tabular', name, columns: [name] })) },
      rows: (row) => ({
        ...row,
        ...Object.fromEntries(names.map((name, m) => [name, m === 0 ? row.t : random.normal()])),
      }),
    })
    const { compared } = await scoresOf(folder)
    const without = names.map((out) => names.filter((name) => name !== out).join('+'))
    expect(Object.keys(compared).toSorted()).toEqual([...names, ...without, 'all'].toSorted())
    const args = ['--data', folder, '--bundle', join(folder, 'bundle'), '--permutations', '6', '--resamples', '4']
    expect(await trainerCommand(['insight', 'shapley', ...args, '--json']), captured.told).toBe(0)
    expect(captured.out).toContain('m11')
    const said = () => JSON.parse(captured.out.trimEnd().split('\n').at(-1)!) as unknown
    expect(said()).toMatchObject({ permutations: 6 })
    captured.out = ''
    expect(await trainerCommand(['insight', 'shapley', ...args, '--observation', 's7', '--json']), captured.told).toBe(
      0,
    )
    expect(said()).toMatchObject({ permutations: 6 })
  }, 60_000)
})

const song = (name: string) => ({
  modalities: [weather, { kind: 'embedding', name: 'song', encoder: 'e', size: 3, vectors: { file: name } }],
})
const vectors = (rows: number, size: number, wrong?: number): Buffer => {
  const values = Array.from({ length: rows * size }, (_, i) => (i % 7) - 3)
  return npyBytes({ type: 'f4', shape: [rows, size], values: wrong === undefined ? values : values.with(16, wrong) })
}
const COMPLEX = Buffer.concat([
  npyHeader("{'descr': '<c8', 'fortran_order': False, 'shape': (160, 3), }"),
  Buffer.alloc(160 * 3 * 8),
])

type Refused = readonly (readonly [what: string, made: Case, message: string])[]

describe('refused, and what is wrong is named', () => {
  const unreadable: Refused = [
    [
      'NaN in a table',
      { rows: (row, i) => ({ ...row, rain: i === 5 ? 'NaN' : row.rain }) },
      'table.csv, row 7, column "rain": "NaN" is no number',
    ],
    [
      'infinity in a table',
      { rows: (row, i) => ({ ...row, t: i === 5 ? '-Infinity' : row.t }) },
      'table.csv, row 7, column "t": "-Infinity" is no number',
    ],
    [
      'a label that is no answer',
      { rows: (row, i) => ({ ...row, owl: i === 5 ? 2 : row.owl }) },
      'table.csv, row 7, column "owl": "2" is neither 0, 1 nor empty',
    ],
    [
      'a modality called "all"',
      { says: { modalities: [{ ...weather, name: 'all' }, rain] } },
      'dataset.json: a modality\'s name: "all" is the name of everything together',
    ],
    [
      'a group called "all"',
      { says: { modalities: [{ ...weather, group: 'all' }, rain] } },
      '"all" is the name of everything together',
    ],
    ['a modality with a plus', { says: { modalities: [{ ...weather, name: 'a+b' }, rain] } }, '"a+b" has a "+"'],
    ['a modality with a slash', { says: { modalities: [{ ...weather, name: 'a/b' }, rain] } }, '"a/b" has a "/"'],
    [
      'a table cut within a row',
      { text: (table) => table.slice(0, table.length - 8) },
      'table.csv, row 161: Invalid Record Length',
    ],
    [
      'a second table cut at the end of a row',
      {
        says: { labels: { file: 'labels.csv', columns: 'others' } },
        files: { 'labels.csv': 'site,fox\ns0,1\ns1,0\n' },
      },
      'labels.csv: 2 rows, but 160 in table.csv',
    ],
    ['a file that was not copied', { says: song('v.npy') }, 'v.npy: there is no such file'],
    [
      'an array cut short',
      { says: song('v.npy'), files: { 'v.npy': vectors(160, 3).subarray(0, 1500) } },
      'v.npy, byte 128: 1372 bytes of data, but the shape (160, 3) is another size',
    ],
    [
      'an array of another type',
      { says: song('v.npy'), files: { 'v.npy': COMPLEX } },
      'v.npy, byte 10: elements of type "<c8" are not read',
    ],
    [
      'an array of another size',
      { says: song('v.npy'), files: { 'v.npy': vectors(160, 4) } },
      'v.npy: an array of [160, 4], but [160, 3] is described',
    ],
    [
      'an array of fewer rows',
      { says: song('v.npy'), files: { 'v.npy': vectors(159, 3) } },
      'v.npy: 159 rows, but 160 in table.csv',
    ],
    [
      'NaN in a vector',
      { says: song('v.npy'), files: { 'v.npy': vectors(160, 3, Number.NaN) } },
      'v.npy, column "s5[1]": an embedding is there as a whole or not at all',
    ],
  ]
  const unlearnable: Refused = [
    [
      'labels of one answer only',
      { rows: (row) => ({ ...row, fox: 1, owl: '' }) },
      'no label has both a positive and a negative in the training part',
    ],
    [
      'labels that the validation part cannot judge',
      { rows: (row, i) => (i % 4 === 2 ? { ...row, fox: 1, owl: 1 } : row) },
      'no label that can be learned has both a positive and a negative in the validation part',
    ],
    [
      'a single class',
      { rows: (row) => ({ ...row, kind: 'x' }), says: { labels: { class: 'kind' } } },
      'the training part has fewer than two classes',
    ],
  ]
  /** A model to evaluate. */
  let good: Promise<string> | null = null
  const makeGood = async (): Promise<string> => {
    const folder = folderOf({})
    expect(await train(folder)).toBe(0)
    return folder
  }

  const check = async (commands: readonly ((folder: string) => Promise<number>)[], made: Case, message: string) => {
    const folder = folderOf(made)
    for (const command of commands) {
      captured.told = ''
      expect(await command(folder)).toBe(1)
      expect(captured.told).toContain(message)
      expect(captured.told, 'no stack').not.toContain('    at ')
    }
    expect(existsSync(join(folder, 'bundle'))).toBe(false)
    expect(existsSync(join(folder, 'experiment'))).toBe(false)
  }
  test.each(unreadable)('%s', async (_, made, message) => {
    good ??= makeGood()
    const model = await good
    await check([train, experiment, (folder) => evaluate(folder, model)], made, message)
  })
  test.each(unlearnable)('%s', (_, made, message) => check([train, experiment], made, message))
})
