import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { withFolder } from '#test/support/data-folder.ts'
import { describedData } from '#test/support/datasets.ts'
import {
  CLIMATE,
  climateValue,
  geoPlantFiles,
  hasPatch,
  hasSoil,
  LANDSAT,
  landsatValue,
  type Survey,
  someSurveys,
  tableValue,
} from '#test/support/geoplant-files.ts'
import { parameterTable } from '../model/parameters.ts'
import { buildTrainingSet } from './build-set.ts'
import type { DatasetWarning, RawExample } from './raw-set.ts'
import { readFolder } from './read-folder.ts'

const SURVEYS = someSurveys(40, 12)
const FILES = await geoPlantFiles(SURVEYS)

const read = async (name: string) => {
  const warnings: DatasetWarning[] = []
  const description = await readFile(join(describedData(name), 'dataset.json'))
  const raw = await withFolder({ ...FILES, 'dataset.json': description }, (folder) =>
    readFolder(folder, { onWarning: (it) => warnings.push(it) }),
  )
  return { raw, warnings, set: buildTrainingSet(raw) }
}

const surveyOf = ({ id }: { readonly id: string }): Survey => SURVEYS.find((it) => String(it.id) === id)!

const contentOf = ({ readings }: RawExample, name: string) => readings.find((it) => it.modality === name)?.content

test('GeoPlant: 48 + 202 + 100 tokens in three modalities, in order', async () => {
  const { set } = await read('geoplant')
  const { modalities, slots, blocks } = set.layout
  expect(modalities).toEqual(['tabular', 'series', 'sentinel'])
  expect(modalities.map((_, m) => slots.filter((slot) => slot.modality === m).length)).toEqual([48, 202, 100])
  expect(slots).toHaveLength(350)
  const names = slots.map((slot) => slot.name)
  expect(names.slice(0, 2)).toEqual(['bioclimatic.Bio1', 'bioclimatic.Bio2'])
  expect(names.slice(38, 42)).toEqual(['place.lon', 'place.lat', 'landcover.LandCover-1', 'landcover.LandCover-2'])
  // Variable by variable, oldest year first.
  expect(names.slice(48, 50)).toEqual(['landsat.red[0]', 'landsat.red[1]'])
  expect([names[48 + 21], names[48 + 125], names[48 + 126]]).toEqual([
    'landsat.green[0]',
    'landsat.swir2[20]',
    'climate.pr[0]',
  ])
  expect([names[249], names[250], names[349]]).toEqual(['climate.tasmax[18]', 'sentinel.red[0,0]', 'sentinel.nir[4,4]'])
  // One linear for each series variable and each band.
  const linears = (name: string) =>
    blocks.filter((it) => it.name.startsWith(name)).map((it) => [it.groups, it.features])
  expect([...linears('landsat'), ...linears('climate'), ...linears('sentinel')]).toEqual([
    [6, 4],
    [4, 12],
    [4, 625],
  ])
  // The paper's model on these tokens, with its 1783 species.
  const paper = {
    width: 192,
    layers: 3,
    heads: 8,
    feedForward: 256,
    frequencies: 48,
    frequencySigma: 0.01,
    labels: 1783,
  }
  expect(parameterTable({ ...paper, activation: 'relu', mode: 'replace' }, set.layout).total).toBe(2_547_895)
})

test('GeoPlant: species with more than 20 surveys, blocks of one degree', async () => {
  const { raw, set, warnings } = await read('geoplant')
  const species = Array.from({ length: 12 }, (_, s) => s + 1)
  const count = (s: number) => SURVEYS.filter((it) => it.species.includes(s)).length
  const kept = species.filter((s) => count(s) > 20)
  expect(kept.length).toBeGreaterThan(0)
  expect(set.labels.map((it) => it.name)).toEqual(kept.map(String))
  const rare = species.filter((s) => count(s) > 0 && count(s) <= 20).length
  expect(warnings).toEqual([
    { code: 'rare-label', subject: 'speciesId', count: rare, detail: 'labels of fewer than 21 rows are left out' },
  ])
  expect(raw.examples.map((it) => it.id).sort()).toEqual(
    SURVEYS.filter((it) => it.species.length > 0)
      .map((it) => String(it.id))
      .sort(),
  )
  for (const example of raw.examples) {
    expect([...example.labels]).toEqual(kept.map((s) => (surveyOf(example).species.includes(s) ? 1 : 0)))
  }
  const parts = new Map<string, Set<string>>()
  for (const example of raw.examples) {
    const { lon, lat } = surveyOf(example)
    const block = `${Math.floor(lon)} ${Math.floor(lat)}`
    parts.set(block, (parts.get(block) ?? new Set()).add(example.part))
  }
  expect([...parts.values()].every((it) => it.size === 1)).toBe(true)
  const blocks = (part: string) => [...parts.values()].filter((it) => it.has(part)).length
  expect([blocks('validation'), blocks('test')]).toEqual([0, 0].map(() => Math.round(0.15 * parts.size)))
})

test('GeoPlant: every value, from columns and from cubes alike; what is missing stays missing', async () => {
  const columns = await read('geoplant')
  const cubes = await read('geoplant-cubes')
  expect(cubes.set.specs).toEqual(columns.set.specs)
  expect(cubes.set.hash).toBe(columns.set.hash)

  let hidden = 0
  for (const example of columns.raw.examples) {
    const survey = surveyOf(example)
    const bio = contentOf(example, 'bioclimatic')
    const expected = Object.fromEntries(Array.from({ length: 19 }, (_, c) => [`Bio${c + 1}`, tableValue(survey, c)]))
    expect(bio).toEqual({ kind: 'scalars', values: expected })
    expect(contentOf(example, 'place')).toEqual({ kind: 'scalars', values: { lon: survey.lon, lat: survey.lat } })
    expect(contentOf(example, 'soil') !== undefined).toBe(hasSoil(survey))
    const cover = contentOf(example, 'landcover')
    // The five classifications, then the three properties, of 13 layers.
    expect(cover?.kind === 'scalars' && Object.values(cover.values)).toEqual(
      [0, 1, 2, 3, 4, 8, 9, 10].map((c) => tableValue(survey, 38 + c)),
    )
    const years = (n: number) => Array.from({ length: n }, (_, year) => year)
    const series = (names: readonly string[], steps: (variable: number) => (number | null)[]) =>
      Object.fromEntries(names.map((name, variable) => [name, steps(variable)]))
    const climate = series(CLIMATE, (v) =>
      years(19).flatMap((y) => years(12).map((m) => climateValue(survey, v, y, m))),
    )
    const landsat = series(LANDSAT, (b) => years(21).flatMap((y) => years(4).map((q) => landsatValue(survey, b, y, q))))
    expect(contentOf(example, 'climate')).toEqual({ kind: 'series', stepMs: 2_629_746_000, variables: climate })
    expect(contentOf(example, 'landsat')).toEqual({ kind: 'series', stepMs: 7_889_238_000, variables: landsat })
    hidden += Object.values({ ...climate, ...landsat })
      .flat()
      .filter((it) => it === null).length
  }
  expect(hidden).toBeGreaterThan(100)

  // A year with a missing quarter hides that year's token, and only that.
  const [first] = columns.set.train.ids
  const survey = surveyOf({ id: first! })
  const { slots } = columns.set.layout
  const shown = columns.set.train.rows[0]!
  for (const [i, slot] of slots.entries()) {
    const [, variable, period] = /^landsat\.(\w+)\[(\d+)\]$/.exec(slot.name) ?? []
    if (variable === undefined) continue
    const quarters = [0, 1, 2, 3].map((q) =>
      landsatValue(survey, LANDSAT.map(String).indexOf(variable), Number(period), q),
    )
    expect(shown.hidden[i]).toBe(quarters.includes(null) ? 1 : 0)
  }
})

test('GeoPlant: patches are at CD/AB, cut to 125 pixels, a token for each band and place', async () => {
  const { raw, set } = await read('geoplant')
  const sentinel = set.layout.slots.flatMap((slot, i) => (slot.modality === 2 ? [i] : []))
  expect(raw.examples.filter((it) => contentOf(it, 'sentinel') === undefined).map(surveyOf)).toEqual(
    raw.examples.map(surveyOf).filter((it) => !hasPatch(it)),
  )
  const survey = surveyOf({ id: set.train.ids.find((id) => hasPatch(surveyOf({ id })))! })
  const digits = String(survey.id)
  const path = `${digits.slice(5)}/${digits.slice(3, 5)}/${digits}.jpeg`
  const nir = await sharp(FILES[`patches_nir/${path}`] as Uint8Array)
    .toColourspace('b-w')
    .raw()
    .toBuffer()
  const spec = set.specs.at(-1)!
  if (spec.kind !== 'image') throw new Error('an image expected')
  const row = set.train.rows[set.train.ids.indexOf(digits)]!
  // Patch [2,3] of the near infrared: its first pixel is at (75, 50) of 125, so at (76, 51) of 128.
  const slot = set.layout.slots[sentinel[75 + 13]!]!
  expect(slot.name).toBe('sentinel.nir[2,3]')
  const token = row.features.subarray(slot.offset, slot.offset + 625)
  const expected = Array.from({ length: 625 }, (_, i) => {
    const [y, x] = [51 + Math.floor(i / 25), 76 + (i % 25)]
    return Math.fround((nir[128 * y + x]! / 255 - spec.mean[3]!) / spec.deviation[3]!)
  })
  expect([...token]).toEqual(expected)
  const bare = set.train.ids.findIndex((id) => !hasPatch(surveyOf({ id })))
  expect(sentinel.map((i) => set.train.rows[bare]!.hidden[i])).toEqual(Array.from({ length: 100 }, () => 1))
})
