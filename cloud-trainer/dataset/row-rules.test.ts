import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Files, withFolder } from '#test/support/data-folder.ts'
import { buildTrainingSet } from './build-set.ts'
import { DatasetError } from './dataset-error.ts'
import type { DatasetWarning, RawSet } from './raw-set.ts'
import { readFolder } from './read-folder.ts'

const DESCRIPTION = {
  schema: 'dataset/1',
  table: 'rows.csv',
  id: 'id',
  split: { column: 'part', train: [0], validation: [1], test: [] },
  labels: { file: 'rows.csv', columns: ['owl'] },
  modalities: [{ kind: 'tabular', name: 'm', columns: ['x'] }],
}

const read = async (change: object, files: Files): Promise<{ raw: RawSet; warnings: readonly DatasetWarning[] }> => {
  const warnings: DatasetWarning[] = []
  const json = JSON.stringify({ ...DESCRIPTION, ...change })
  const raw = await withFolder({ ...files, 'dataset.json': json }, (folder) =>
    readFolder(folder, { onWarning: (warning) => warnings.push(warning) }),
  )
  return { raw, warnings }
}

const failure = async (change: object, files: Files) => {
  const error = await read(change, files).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  )
  if (error instanceof DatasetError) return [error.code, error.message]
  throw error
}

const valuesOf = ({ raw }: { raw: RawSet }) => raw.examples.map(({ readings }) => readings.map((it) => it.content))

const ROWS = 'id,part,owl,x\na,0,1,1\nb,1,0,2\nc,0,1,3\n'

test('tables joined by id: any order, rows too many, rows too few', async () => {
  const modalities = [
    { kind: 'tabular', name: 'm', file: 'soil.csv', columns: ['clay', { column: 'rock', categories: ['lime'] }] },
  ]
  const soil = 'id,clay,rock\nz,9,lime\nc,3,\na,1,lime\n'
  const result = await read({ modalities, join: 'id' }, { 'rows.csv': ROWS, 'soil.csv': soil })
  expect(valuesOf(result)).toEqual([
    [{ kind: 'scalars', values: { clay: 1, rock: 0 } }],
    [],
    [{ kind: 'scalars', values: { clay: 3, rock: null } }],
  ])
  expect((await failure({ modalities }, { 'rows.csv': ROWS, 'soil.csv': soil }))[0]).toBe('row-order')
  expect(
    await failure({ modalities, join: 'id' }, { 'rows.csv': ROWS, 'soil.csv': 'id,clay,rock\nq,1,lime\n' }),
  ).toEqual(['row-count', 'soil.csv: none of its ids is in rows.csv'])
  const labels = { file: 'l.csv', columns: 'others' }
  const joined = await read({ labels, join: 'id' }, { 'rows.csv': ROWS, 'l.csv': 'owl,id,fox\n1,c,0\n0,a,\n' })
  expect(joined.raw.examples.map((it) => [...it.labels])).toEqual([
    [0, Number.NaN],
    [Number.NaN, Number.NaN],
    [1, 0],
  ])
})

test('what means "no value" is so however the number is written', async () => {
  const rows = (x: string) => `id,part,owl,x\na,0,1,${x}\nb,1,0,2\nc,0,1,3\n`
  const missing = ['', '-9999']
  for (const x of ['-9999', '-9999.0', '-9.999e3', '']) {
    expect(valuesOf(await read({ missing }, { 'rows.csv': rows(x) }))[0]).toEqual([])
  }
  expect(valuesOf(await read({ missing }, { 'rows.csv': rows('-9999.5') }))[0]).not.toEqual([])
  const labels = await read({ missing: ['-9'] }, { 'rows.csv': ROWS.replace('a,0,1', 'a,0,-9.0') })
  expect([...labels.raw.examples[0]!.labels]).toEqual([Number.NaN])
})

test('labels are 1 and 0 as other programs write them, too', async () => {
  const labelsOf = async (...cells: readonly string[]) => {
    const rows = cells.map((cell, i) => `${i},${i % 2},${cell},1`).join('\n')
    const { raw } = await read({}, { 'rows.csv': `id,part,owl,x\n${rows}\n` })
    return raw.examples.flatMap((it) => [...it.labels])
  }
  expect(await labelsOf('1.0', '0.0', '', 'TRUE', 'False', '0')).toEqual([1, 0, Number.NaN, 1, 0, 0])
  for (const cell of ['2', '0.5', 'yes', 'NaN', 't']) {
    expect(await failure({}, { 'rows.csv': ROWS.replace('b,1,0', `b,1,${cell}`) })).toEqual([
      'bad-label',
      `rows.csv, row 3, column "owl": "${cell}" is neither 0, 1 nor empty`,
    ])
  }
  expect(await failure({ labels: { file: 'rows.csv', columns: ['owl', 'owl'] } }, { 'rows.csv': ROWS })).toEqual([
    'bad-description',
    'dataset.json: label "owl" stands twice',
  ])
})

test('a table in another encoding, with another separator, or a folder in its place, is named', async () => {
  const latin = (text: string) => Buffer.from(text, 'latin1')
  const split = { column: 'part', train: ['Süd'], validation: ['Nord'], test: [] }
  const cases = [
    ['id,part,owl,x\nä,0,1,1\n', 'rows.csv, row 2, column "id": "\ufffd" is not in UTF-8'],
    ['id,part,owl,x\na,Süd,1,1\n', 'rows.csv, row 2, column "part": "S\ufffdd" is not in UTF-8'],
    ['id,part,owl,x,Höhe\na,0,1,1,1\n', 'rows.csv, row 1, column "H\ufffdhe": not in UTF-8'],
  ] as const
  for (const [text, message] of cases) {
    expect(await failure({ split }, { 'rows.csv': latin(text) })).toEqual(['bad-table', message])
  }
  expect(await failure({}, { 'rows.csv': ROWS.replaceAll(',', ';') })).toEqual([
    'missing-column',
    'rows.csv, row 1, column "id": there is only id;part;owl;x; columns are separated by commas in a table that is read',
  ])
  expect(await failure({}, { 'rows.csv/a': 'x' })).toEqual(['missing-file', 'rows.csv: this is a folder, not a file'])
})

test('a description may begin with a byte order mark; a day that no month has is no time', async () => {
  const json = JSON.stringify({ ...DESCRIPTION, time: 'at' })
  const atMs = (day: string) =>
    withFolder(
      {
        'rows.csv': `id,part,owl,x,at\na,0,1,1,${day}T23:30:00-02:00\nb,1,0,2,\n`,
        'dataset.json': `\ufeff${json}`,
      },
      async (folder) => (await readFolder(folder)).examples[0]!.readings[0]!.observedAtMs,
    )
  expect(await atMs('2024-02-29')).toBe(Date.UTC(2024, 2, 1, 1, 30))
  for (const day of ['2024-02-30', '2023-02-29', '2024-04-31']) {
    await expect(atMs(day)).rejects.toThrow(`row 2, column "at": "${day}T23:30:00-02:00" is no ISO 8601 time`)
  }
})

test('a main table with several rows for an id, and labels as a list', async () => {
  const rows = 'id,part,species,x\nb,1,12,2\na,0,7,1\nb,1,7,2\na,0,7,1\nc,0,9,\nc,0,12,\n'
  const labels = { file: 'rows.csv', long: 'species', atLeast: 2 }
  const result = await read({ labels, repeats: true, join: 'id' }, { 'rows.csv': rows })
  expect(result.raw.labels.map((it) => it.name)).toEqual(['7', '12'])
  expect(result.raw.examples.map((it) => [it.id, it.part, ...it.labels])).toEqual([
    ['b', 'validation', 1, 1],
    ['a', 'train', 1, 0],
    ['c', 'train', 0, 1],
  ])
  expect(valuesOf(result)[2]).toEqual([])
  expect(result.warnings).toEqual([
    { code: 'rare-label', subject: 'species', count: 1, detail: 'labels of fewer than 2 rows are left out' },
  ])
  const check = async (text: string, code: string, message: string) =>
    expect(await failure({ labels, repeats: true, join: 'id' }, { 'rows.csv': text })).toEqual([code, message])
  await check(
    rows.replace('a,0,7,1\nc', 'a,0,7,5\nc'),
    'bad-table',
    'rows.csv, row 5, column "x": "5", but "1" in row 3 of the same id',
  )
  await check(
    rows.replace('b,1,7', 'b,0,7'),
    'bad-table',
    'rows.csv, row 4, column "part": "0", but "1" in row 2 of the same id',
  )
  await check(rows.replace('c,0,9', 'c,0,'), 'missing-value', 'rows.csv, row 6, column "species": no label')
  await check('id,part,species,x\na,0,1,1\nb,1,2,2\n', 'too-few', 'rows.csv, column "species": no label with 2 rows')
  expect((await failure({ labels, repeats: true }, { 'rows.csv': rows }))[1]).toContain('needs "join": "id"')
  const owls = { labels: { file: 'rows.csv', columns: ['species'] }, repeats: true, join: 'id' }
  expect(await failure(owls, { 'rows.csv': 'id,part,species,x\na,0,1,1\nb,1,,2\nb,1,0,2\n' })).toEqual([
    'bad-table',
    'rows.csv, row 4, column "species": "0", but "NaN" in row 3 of the same id',
  ])
})

test('classes make a single-label set; rare ones are left out with their rows', async () => {
  const rows = 'id,part,kind,x\na,0,wood,1\nb,1,moor,2\nc,0,,3\nd,0,moor,4\ne,1,wood,5\nf,0,rock,6\n'
  const { raw, warnings } = await read({ labels: { class: 'kind', atLeast: 2 } }, { 'rows.csv': rows })
  expect([raw.task, raw.labels.map((it) => it.name)]).toEqual(['single-label', ['moor', 'wood']])
  expect(raw.examples.map((it) => [it.id, ...it.labels])).toEqual([
    ['a', 0, 1],
    ['b', 1, 0],
    ['c', Number.NaN, Number.NaN],
    ['d', 1, 0],
    ['e', 0, 1],
  ])
  expect(warnings).toEqual([
    { code: 'unused-rows', subject: 'kind', count: 1, detail: 'rows of 1 classes with fewer than 2 rows are left out' },
  ])
  expect(buildTrainingSet(raw).task).toBe('single-label')
})

test('series: a row for each step, in any order', async () => {
  const series = {
    kind: 'series',
    name: 'm',
    stepMs: 1000,
    periods: 2,
    long: {
      file: 's.csv',
      steps: [
        { column: 'year', first: 2000, count: 2 },
        { column: 'quarter', first: 1, count: 2 },
      ],
    },
    variables: [
      { name: 'red', column: 'r' },
      { name: 'nir', column: 'n' },
    ],
  }
  const long = 'quarter,id,year,n,r\n2,a,2001,4,40\n1,a,2000,1,10\n2,a,2000,2,\n1,c,2001,,\n'
  const result = await read({ modalities: [series] }, { 'rows.csv': ROWS, 's.csv': long })
  expect(valuesOf(result)).toEqual([
    [{ kind: 'series', stepMs: 1000, variables: { red: [10, null, null, 40], nir: [1, 2, null, 4] } }],
    [],
    [],
  ])
  expect(result.raw.templates).toEqual([
    { kind: 'series', name: 'm', stepMs: 1000, periods: 2, stepsPerPeriod: 2, variables: ['red', 'nir'] },
  ])
  const check = async (text: string, message: string) =>
    expect((await failure({ modalities: [series] }, { 'rows.csv': ROWS, 's.csv': text }))[1]).toBe(message)
  await check(`${long}2,a,2001,4,40\n`, 's.csv, row 6, column "quarter": the step of "a" stands in row 2 too')
  await check(`${long}3,a,2001,4,40\n`, 's.csv, row 6, column "quarter": 3 is none of the 2 steps from 1')
  await check(`${long}1,a,,4,40\n`, 's.csv, row 6, column "year": NaN is none of the 2 steps from 2000')
})

test('series: columns whose names count up, a file for each variable', async () => {
  const over = [
    { name: 'year', first: 2000, last: 2001 },
    { name: 'month', first: 9, last: 10, digits: 2 },
  ]
  const columns = { pattern: 'Bio-{month}_{year}', over }
  const series = (change: object) => ({
    kind: 'series',
    name: 'm',
    stepMs: 1000,
    periods: 2,
    variables: [
      { name: 'pr', columns, ...change },
      { name: 'tas', file: 'tas.csv', columns },
    ],
  })
  const header = 'id,Bio-10_2001,Bio-09_2001,Bio-10_2000,Bio-09_2000'
  const files = {
    'rows.csv': 'id,part,owl\na,0,1\nb,1,0\n',
    'pr.csv': `${header}\na,4,3,2,1\nb,8,7,6,5\n`,
    'tas.csv': `${header}\na,40,30,20,10\nb,80,70,60,50\n`,
  }
  const result = await read({ modalities: [series({ file: 'pr.csv' })] }, files)
  expect(valuesOf(result)[0]).toEqual([
    { kind: 'series', stepMs: 1000, variables: { pr: [1, 2, 3, 4], tas: [10, 20, 30, 40] } },
  ])
  const few = series({ file: 'pr.csv', columns: ['Bio-09_2000'] })
  expect((await failure({ modalities: [few] }, files))[1]).toContain('"tas" has 4 columns where others have 1')
  const none = series({ columns: { pattern: 'x', over } })
  expect((await failure({ modalities: [none] }, files))[1]).toContain('makes 4 columns; 1 to 10000 different ones')
})

test('a description is explained by the form it comes nearest to', async () => {
  const check = async (change: object, message: string) =>
    expect((await failure(change, { 'rows.csv': ROWS }))[1]).toContain(message)
  const series = { kind: 'series', name: 'm', stepMs: 1, periods: 1, long: { file: 's.csv', steps: [] } }
  await check({ modalities: [{ ...series, variables: [{ name: 'a', column: 'a' }] }] }, 'at modalities[0].long.steps')
  await check(
    { modalities: [{ kind: 'embedding', name: 'm', encoder: 'e', vectors: { file: 'v.npy' } }] },
    'modalities[0].size',
  )
  await check(
    { split: { blocks: { x: 'x', y: 'x', size: 0, shares: { train: 0.5, validation: 0.4, test: 0.2 } } } },
    'split.blocks.size',
  )
  await check({ split: { random: { shares: { train: 0.5, validation: 0.4, test: 0.2 } } } }, 'must add up to 1')
  await check({ modalities: [{ kind: 'tabular', name: 'm', column: 'x' }] }, 'modalities[0].columns')
})

const shares = { train: 0.7, validation: 0.15, test: 0.15 }

test('spatial blocks: each lies in one part, whatever the order of the rows; shares are near those wanted', async () => {
  const place = fc.record({ x: fc.integer({ min: -20, max: 20 }), y: fc.integer({ min: -20, max: 20 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(place, { minLength: 60, maxLength: 120 }), fc.nat(5), async (places, seed) => {
      const lines = places.map(({ x, y }, i) => `r${i},1,${x / 2},${y / 2}`)
      const split = { blocks: { x: 'x', y: 'y', size: 2.5, shares, seed } }
      const of = async (rows: readonly string[]) => {
        const { raw } = await read({ split }, { 'rows.csv': ['id,owl,x,y', ...rows].join('\n') })
        return new Map(raw.examples.map((it) => [it.id, it.part]))
      }
      const parts = await of(lines)
      expect(await of(lines.toReversed())).toEqual(parts)
      const blockOf = ({ x, y }: { x: number; y: number }) => `${Math.floor(x / 5)} ${Math.floor(y / 5)}`
      const partOf = new Map(places.map((it, i) => [blockOf(it), parts.get(`r${i}`)]))
      for (const [i, it] of places.entries()) expect(parts.get(`r${i}`)).toBe(partOf.get(blockOf(it)))
      const blocks = [...partOf.values()]
      for (const part of ['validation', 'test'] as const) {
        expect(blocks.filter((it) => it === part)).toHaveLength(Math.round(0.15 * blocks.length))
      }
    }),
    { numRuns: 20 },
  )
  const split = { blocks: { x: 'x', y: 'y', size: 1, shares, seed: 1 } }
  expect(await failure({ split }, { 'rows.csv': 'id,owl,x,y\na,1,1,\n' })).toEqual([
    'missing-value',
    'rows.csv, row 2, column "y": a row without a place is in no block',
  ])
  expect(await failure({ split }, { 'rows.csv': 'id,owl,x,y\na,1,1,1\nb,1,1,1\n' })).toEqual([
    'too-few',
    'rows.csv, column "x, y": no row of the validation part',
  ])
})

test('spatial blocks: of ten shuffles the one is taken whose parts have rows like blocks', async () => {
  // One block of 300 rows and 39 of one row: in training it is as fair as can be.
  const rows = Array.from({ length: 339 }, (_, i) => `r${i},1,${Math.max(0, i - 299)}.5,0`)
  for (const seed of [1, 2, 3, 4, 5]) {
    const split = { blocks: { x: 'x', y: 'y', size: 1, shares, seed } }
    const { raw } = await read({ split }, { 'rows.csv': ['id,owl,x,y', ...rows].join('\n') })
    expect(raw.examples[0]!.part).toBe('train')
  }
})

test('a random split gives each class its shares, and another seed another split', async () => {
  const rows = Array.from({ length: 150 }, (_, i) => `r${i},${i % 3 === 0 ? 'wood' : 'moor'},1`)
  const parts = async (seed: number) => {
    const split = { random: { shares: { train: 0.8, validation: 0.1, test: 0.1 }, seed } }
    const { raw } = await read({ split, labels: { class: 'kind' } }, { 'rows.csv': ['id,kind,x', ...rows].join('\n') })
    return raw.examples.map((it) => `${it.part} ${it.labels[0] === 1 ? 'moor' : 'wood'}`)
  }
  const counts = (all: readonly string[]) =>
    Object.fromEntries([...new Set(all)].sort().map((it) => [it, all.filter((x) => x === it).length]))
  const first = await parts(1)
  expect(counts(first)).toEqual({
    'test moor': 10,
    'test wood': 5,
    'train moor': 80,
    'train wood': 40,
    'validation moor': 10,
    'validation wood': 5,
  })
  expect(await parts(1)).toEqual(first)
  expect(await parts(2)).not.toEqual(first)
})

test('a folder beside the description', async () => {
  const json = JSON.stringify({ ...DESCRIPTION, folder: '../data' })
  const raw = await withFolder({ 'data/rows.csv': ROWS, 'told/dataset.json': json }, (folder) =>
    readFolder(`${folder}/told`),
  )
  expect(raw.examples).toHaveLength(3)
})

test('numbers outside the valid range mean that there is no value', async () => {
  const columns = [{ column: 'x', valid: [0, 2] }]
  const check = (change: object) =>
    read({ modalities: [{ kind: 'tabular', name: 'm', ...change }] }, { 'rows.csv': ROWS })
  expect(valuesOf(await check({ columns }))).toEqual([
    [{ kind: 'scalars', values: { x: 1 } }],
    [{ kind: 'scalars', values: { x: 2 } }],
    [],
  ])
  const none = { modalities: [{ kind: 'tabular', name: 'm', columns: [{ column: 'x', valid: [1, 0] }] }] }
  expect((await failure(none, { 'rows.csv': ROWS }))[1]).toContain('nothing is valid in column "x"')
})

test('modalities of a group are chosen by its name, and stand together', async () => {
  const of = (name: string, group?: string) => ({ kind: 'tabular', name, columns: ['x'], ...(group ? { group } : {}) })
  const named = (modalities: readonly object[], chosen: readonly string[]) => {
    const json = JSON.stringify({ ...DESCRIPTION, modalities })
    return withFolder({ 'rows.csv': ROWS, 'dataset.json': json }, async (folder) => {
      const { templates } = await readFolder(folder, { modalities: chosen })
      return templates.map((it) => [it.name, it.group])
    })
  }
  const all = [of('a', 'g'), of('b', 'g'), of('c')]
  expect(await named(all, ['g'])).toEqual([
    ['a', 'g'],
    ['b', 'g'],
  ])
  expect(await named(all, ['c', 'b'])).toEqual([
    ['b', 'g'],
    ['c', undefined],
  ])
  await expect(named(all, ['d'])).rejects.toThrow('no modality "d"; there are g, a, b, c')
  const check = async (modalities: readonly object[]) =>
    expect((await failure({ modalities }, { 'rows.csv': ROWS }))[1]).toContain(`of the group "g" don't stand together`)
  await check([of('a', 'g'), of('c'), of('b', 'g')])
  await check([of('a', 'g'), of('g')])
})
