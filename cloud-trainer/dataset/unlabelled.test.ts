import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { realData } from '#test/support/real-data.ts'
import type { RawExample } from './raw-set.ts'
import { readFolder } from './read-folder.ts'
import { readUnlabelledRows } from './unlabelled.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unlabelled-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (file: string, text: string): void => writeFileSync(join(folder, file), text)

const describe = (changes: object): void => {
  write('sites.csv', 'site,part,t,rain,kind,lon,fox\na,1,1,2,x,7,1\nb,2,3,4,y,8,0\n')
  const description = {
    schema: 'dataset/1',
    table: 'sites.csv',
    id: 'site',
    split: { column: 'part', train: [1], validation: [2], test: [] },
    labels: { file: 'sites.csv', columns: ['fox'] },
    modalities: [
      { kind: 'tabular', name: 'weather', columns: ['t', 'rain', { column: 'kind', categories: ['x', 'y'] }] },
      { kind: 'tabular', name: 'place', columns: ['lon'] },
    ],
    ...changes,
  }
  write('dataset.json', JSON.stringify(description))
}

const valuesOf = ({ readings }: RawExample) =>
  Object.fromEntries(readings.map(({ modality, content }) => [modality, content.kind === 'scalars' && content.values]))

test('rows without labels train, with what they have; other names are translated, equal rows count once', async () => {
  describe({
    unlabelled: [
      { table: 'points.csv', id: 'point', columns: { lon: 'x' } },
      { table: 'more.csv', optional: true },
    ],
  })
  write('points.csv', 'point,x,rain,kind,else\np1,5,6,y,1\np2,6,,x,2\np1,5,6,y,9\n')
  const rows = await readUnlabelledRows(folder)
  expect(rows.map(({ id, part }) => [id, part])).toEqual([
    ['points.csv:p1', 'train'],
    ['points.csv:p2', 'train'],
  ])
  expect(rows.map(valuesOf)).toEqual([
    { weather: { t: null, rain: 6, kind: 1 }, place: { lon: 5 } },
    { weather: { t: null, rain: null, kind: 0 }, place: { lon: 6 } },
  ])
  for (const { labels } of rows) expect(labels.length).toBe(0)
  expect(await readUnlabelledRows(folder, { modalities: ['place'] })).toMatchObject([
    { readings: [{ modality: 'place' }] },
    { readings: [{ modality: 'place' }] },
  ])
})

test('what is wrong is named: no such file, no common column, a bad cell, rows of an id that differ', async () => {
  const refused = async (table: string | null, message: string) => {
    describe({ unlabelled: [{ table: 'points.csv' }] })
    if (table !== null) write('points.csv', table)
    await expect(readUnlabelledRows(folder)).rejects.toThrow(message)
  }
  await refused(null, 'points.csv: there is no such file')
  await refused('site,height\na,1\n', 'points.csv, row 1, column "kind": there is only site, height')
  await refused('height,t\n1,1\n', 'points.csv, row 1, column "site": there is only height, t')
  await refused('site,t\na,warm\n', 'points.csv, row 2, column "t": "warm" is no number')
  await refused('site,t\na,1\na,2\n', 'points.csv, row 3, column "t": "2", but "1" in row 2 of the same id')
})

test('modalities of other tables are missing in rows without labels', async () => {
  describe({
    unlabelled: [{ table: 'points.csv' }],
    modalities: [
      { kind: 'tabular', name: 'weather', columns: ['t'] },
      { kind: 'tabular', name: 'soil', file: 'soil.csv', columns: ['clay'] },
    ],
  })
  write('soil.csv', 'site,clay\na,1\nb,2\n')
  write('points.csv', 'site,t,clay\np,4,5\n')
  expect((await readUnlabelledRows(folder)).map(valuesOf)).toEqual([{ weather: { t: 4 } }])
})

test('a folder may know nothing at all of its rows', async () => {
  describe({ labels: undefined })
  const { labels, examples } = await readFolder(folder)
  expect(labels).toEqual([])
  expect(examples.map(({ id, labels }) => [id, labels.length])).toEqual([
    ['a', 0],
    ['b', 0],
  ])
  expect(await readUnlabelledRows(folder)).toEqual([])
})

const swi = realData('sdm-disdat/SWI')
const can = realData('sdm-disdat/CAN')

test.skipIf(!swi.isHere)('SWI: background points and places of presence, each once', async () => {
  const rows = await readUnlabelledRows(swi.path)
  expect(rows.length).toBe(10_000 + 11_429)
  expect(valuesOf(rows[0]!)).toMatchObject({
    location: { x: 1634487.5, y: 22487.5 },
    soil: { calc: 0, nutri: 2, swb: 6 },
  })
  for (const { readings } of rows) expect(readings.length).toBe(5)
})

test.skipIf(!can.isHere)(
  'CAN: x and y are its degrees; images are windows around them, none beyond the raster',
  async () => {
    const rows = await readUnlabelledRows(can.path, { modalities: ['location', 'night_lights'] })
    expect(rows.length).toBe(10_000 + 5063)
    expect(valuesOf(rows[0]!)).toMatchObject({ location: { lon: -78.283493, lat: 46.042486 } })
    const windows = rows.filter(({ readings }) => readings.length === 2)
    expect(windows.length).toBeGreaterThan(8000)
    expect(windows.length).toBeLessThan(rows.length)
  },
)
