import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realData } from '#test/support/real-data.ts'
import { buildTrainingSet } from './build-set.ts'
import { describeDisdat } from './disdat.ts'
import { pixelOf } from './raster.ts'
import type { DatasetWarning } from './raw-set.ts'
import { readFolder } from './read-folder.ts'

const { path: DATA, isHere: hasData } = realData('sdm-disdat')

const REGIONS = {
  CAN: {
    crs: 'EPSG:4008 lon/lat',
    modalities: {
      cover: { veg: 'class (categorical)', dist: 'distance [m]' },
      location: { lon: '[deg]', lat: '[deg]' },
      night: 'window of nightlights.u8',
    },
  },
}

test('a region is described as a folder of our own would be', () => {
  const description = describeDisdat(REGIONS, 'CAN-bird', { window: 6, patch: 3 })
  expect(description.modalities).toEqual([
    { kind: 'tabular', name: 'cover', columns: [{ column: 'veg', categories: 'from-train' }, { column: 'dist' }] },
    { kind: 'tabular', name: 'location', columns: [{ column: 'lon' }, { column: 'lat' }] },
    {
      kind: 'image',
      name: 'night',
      width: 6,
      height: 6,
      patch: 3,
      source: { raster: 'nightlights', longitude: 'lon', latitude: 'lat' },
    },
  ])
  const check = (json: unknown, folder: string, message: string) =>
    expect(() => describeDisdat(json, folder, { window: 8, patch: 4 })).toThrow(message)
  check(REGIONS, 'SWI', 'no region for the folder "SWI"')
  check({ CAN: {} }, 'CAN', 'modalities')
  check({ CAN: { modalities: { night: 'a picture' } } }, 'CAN', '"a picture" is not understood')
  check({ CAN: { modalities: { night: 'window of n.u8' } } }, 'CAN', 'needs a location with lon and lat')
})

test.skipIf(!hasData)('SWI: sites by part, species, statistics of the training part', async () => {
  const warnings: DatasetWarning[] = []
  const set = buildTrainingSet(await readFolder(join(DATA, 'SWI')), { onWarning: (it) => warnings.push(it) })
  expect([set.train.ids.length, set.validation.ids.length, set.test?.ids.length]).toEqual([4419, 991, 1500])
  expect(set.labels.map((label) => label.name)).toEqual(
    Array.from({ length: 30 }, (_, i) => `swi${String(i + 1).padStart(2, '0')}`),
  )
  expect(set.layout.modalities).toEqual(['climate', 'soil', 'terrain', 'cover', 'location'])
  expect(set.layout.slots).toHaveLength(15)
  expect(warnings).toEqual([])

  // Straight from the text of the files.
  const [header, ...lines] = (await readFile(join(DATA, 'SWI/sites.csv'), 'utf8'))
    .trim()
    .replaceAll('"', '')
    .split('\n')
  const at = (column: string) => header!.split(',').indexOf(column)
  const rows = lines.map((line) => line.split(','))
  const ddeg = rows.filter((row) => Number(row[at('fold')]) <= 2).map((row) => Number(row[at('ddeg')]))
  const mean = ddeg.reduce((sum, x) => sum + x, 0) / ddeg.length
  const deviation = Math.sqrt(ddeg.reduce((sum, x) => sum + (x - mean) ** 2, 0) / ddeg.length) + 1e-4
  const [climate, soil] = set.specs
  const fitted = climate?.kind === 'tabular' ? climate.variables[0] : undefined
  expect(fitted).toEqual({
    type: 'number',
    name: 'ddeg',
    mean: expect.closeTo(mean, 8),
    deviation: expect.closeTo(deviation, 8),
  })
  expect(soil?.kind === 'tabular' && soil.variables[0]).toEqual({ type: 'category', name: 'calc', categories: [0, 1] })

  const first = rows.findIndex((row) => row[at('fold')] === '4')
  expect(set.test?.ids[0]).toBe(rows[first]![0])
  expect(set.test?.rows[0]?.features[0]).toBe(Math.fround((Number(rows[first]![at('ddeg')]) - mean) / deviation))
  const truth = (await readFile(join(DATA, 'SWI/labels.csv'), 'utf8')).trim().split('\n')[first + 1]!.split(',')
  expect([...set.test!.labels.subarray(0, 30)]).toEqual(truth.slice(1).map(Number))
  expect(set.train.rows.every((row) => !row.hidden.includes(1))).toBe(true)
})

test.skipIf(!hasData)('SWI: read twice it has one hash, with a modality fewer another', async () => {
  const hashOf = async (modalities?: string[]) =>
    buildTrainingSet(await readFolder(join(DATA, 'SWI'), modalities ? { modalities } : {})).hash
  const hash = await hashOf()
  expect(await hashOf()).toBe(hash)
  expect(await hashOf(['climate', 'soil', 'terrain', 'cover'])).not.toBe(hash)
})

test.skipIf(!hasData)('CAN: windows are where the sites are', async () => {
  const raw = await readFolder(join(DATA, 'CAN'))
  expect(raw.examples).toHaveLength(2356 + 3262 + 1172 + 2117 + 1010)
  const [site] = raw.examples
  // By hand, for site 1 at −83.01727, 42.1829: (−83.01727 + 91.93359375) / 0.087890625 = 101.45 and
  // (58.798828125 − 42.1829) / 0.087890625 = 189.05; the window starts four pixels before both.
  expect(
    pixelOf({ west: -91.93359375, north: 58.798828125, degreesPerPixel: 0.087890625 }, -83.01727, 42.1829),
  ).toEqual([101, 189])
  const pixels = await readFile(join(DATA, 'CAN/satellite_rgb.u8'))
  const window = site!.readings.find((reading) => reading.modality === 'satellite_image')!.content
  const expected = Array.from({ length: 8 * 8 * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3]
    return pixels[((185 + y) * 223 + 97 + x) * 3 + c]
  })
  expect(window.kind === 'image' && [...window.pixels]).toEqual(expected)

  const { layout, specs } = buildTrainingSet(raw)
  expect(layout.modalities).toEqual([
    'climate',
    'terrain',
    'landcover',
    'location',
    'satellite_image',
    'night_lights',
    'elevation_image',
  ])
  expect(layout.slots).toHaveLength(13 + 3 * 4)
  const satellite = specs.find((spec) => spec.name === 'satellite_image')
  expect(satellite?.kind === 'image' && satellite.mean.every((it) => it > 0.02 && it < 0.5)).toBe(true)
})
