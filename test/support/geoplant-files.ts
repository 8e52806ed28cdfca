/**
 * Files in the form of GeoPlant's presence–absence surveys (Picek et al. 2024), described by `test/datasets/geoplant`
 * (series as columns) and `geoplant-cubes` (series as cubes). Every value follows from the survey, the variable and the
 * step, so that a test can say what must be read.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { randomStream } from '#shared/std/random.ts'
import { type StoredTensor, torchBytes } from './array-files.ts'
import { type Files, writeFolder } from './data-folder.ts'
import { describedData } from './datasets.ts'

export const LANDSAT = ['red', 'green', 'blue', 'nir', 'swir1', 'swir2'] as const
export const CLIMATE = ['pr', 'tas', 'tasmin', 'tasmax'] as const
const SOIL = ['bdod', 'cec', 'cfvo', 'clay', 'nitrogen', 'phh2o', 'sand', 'silt', 'soc']
const FOOTPRINT = [
  ...['Built2009', 'Croplands2005', 'HFP2009', 'Lights2009', 'NavWater2009'],
  ...['Pasture2009', 'Popdensity2010', 'Railways', 'Roads'],
]

export type Survey = {
  readonly id: number
  readonly lon: number
  readonly lat: number
  readonly species: readonly number[]
}

/** Null where a survey lacks the value: seldom, and differently for each variable. */
const valueAt = (survey: Survey, variable: number, step: number): number | null =>
  (survey.id + 7 * variable + 13 * step) % 97 === 0 ? null : (survey.id % 50) + variable / 8 + step / 1024

/** Column `c` of a table, counted through all tables. */
export const tableValue = (survey: Survey, c: number) => valueAt(survey, 100 + c, 0)
export const climateValue = (survey: Survey, variable: number, year: number, month: number) =>
  valueAt(survey, 200 + variable, 12 * year + month)
export const landsatValue = (survey: Survey, band: number, year: number, quarter: number) =>
  valueAt(survey, 300 + band, 4 * year + quarter)
/** Surveys that have no row in the table of soils. */
export const hasSoil = ({ id }: Survey): boolean => id % 11 !== 0
/** Surveys that have no patches, and no cubes of theirs. */
export const hasPatch = ({ id }: Survey): boolean => id % 13 !== 0

/** Surveys all over Europe; a species is in every `rarity`-th survey or so. */
export const someSurveys = (count: number, species: number, seed = 1): readonly Survey[] => {
  const random = randomStream(seed, 'surveys')
  return Array.from({ length: count }, (_, i) => ({
    id: 3_000_000 + 137 * i,
    lon: Math.round(1e4 * (20 * random.uniform() - 5)) / 1e4,
    lat: Math.round(1e4 * (42 + 13 * random.uniform())) / 1e4,
    species: Array.from({ length: species }, (_, s) => s + 1).filter((s) => random.uniform() < 1 / (1 + s / 4)),
  }))
}

export const geoPlantFiles = async (surveys: readonly Survey[]): Promise<Files> => ({
  ...tables(surveys),
  ...cubes(surveys),
  ...Object.fromEntries((await Promise.all(surveys.filter(hasPatch).map(patches))).flat()),
})

/**
 * Writes the files that `test/datasets/geoplant` describes, and the description, with every species that anything was
 * seen of: 350 tokens, of which 100 are pictures' (250 kB a survey), and 1,783 labels when there are as many species.
 */
export const writeGeoPlantFolder = async (folder: string, surveys: readonly Survey[]): Promise<void> => {
  const description: object = JSON.parse(await readFile(join(describedData('geoplant'), 'dataset.json'), 'utf8'))
  const labels = { ...Reflect.get(description, 'labels'), atLeast: 1 }
  await writeFolder(folder, { ...tables(surveys), 'dataset.json': JSON.stringify({ ...description, labels }) })
  for (const survey of surveys.filter(hasPatch)) await writeFolder(folder, Object.fromEntries(await patches(survey)))
}

const csv = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((row) => row.map((cell) => cell ?? '').join(',')).join('\n')

const count = (from: number, to: number): readonly number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const tables = (surveys: readonly Survey[]): Files => {
  const table = (columns: readonly string[], first: number, rows = surveys): string =>
    // In another order than the metadata, as the real ones are.
    csv([
      ['surveyId', ...columns],
      ...rows.toReversed().map((survey) => [survey.id, ...columns.map((_, c) => tableValue(survey, first + c))]),
    ])
  const metadata = surveys.flatMap((survey) =>
    survey.species.map((species) => [
      survey.lon,
      survey.lat,
      2018,
      10,
      100,
      'ALPINE',
      'Switzerland',
      species,
      survey.id,
    ]),
  )
  const months = count(2000, 2018).flatMap((year) => count(1, 12).map((month) => ({ year, month })))
  const monthly = CLIMATE.flatMap((name, v) => months.map((at) => ({ ...at, name, v })))
  const quarters = count(2000, 2020).flatMap((year) => count(1, 4).map((quarter) => ({ year, quarter })))
  const landsat = (band: number) =>
    csv([
      ['surveyId', ...quarters.map(({ year, quarter }) => `${year}_${quarter}`)],
      ...surveys.map((survey) => [
        survey.id,
        ...quarters.map(({ year, quarter }) => landsatValue(survey, band, year - 2000, quarter - 1)),
      ]),
    ])
  return {
    'PA_metadata_train.csv': csv([
      ['lon', 'lat', 'year', 'geoUncertaintyInM', 'areaInM2', 'region', 'country', 'speciesId', 'surveyId'],
      // Rows of a survey don't stand together.
      ...randomStream(1, 'rows').shuffle(metadata),
    ]),
    'PA_bioclimatic.csv': table(
      count(1, 19).map((i) => `Bio${i}`),
      0,
    ),
    'PA_soilgrids.csv': table(
      SOIL.map((name) => `Soilgrid-${name}`),
      19,
      surveys.filter(hasSoil),
    ),
    'PA_elevation.csv': table(['Elevation'], 28),
    'PA_human_footprint.csv': table(
      FOOTPRINT.map((name) => `HumanFootprint-${name}`),
      29,
    ),
    'PA_landcover.csv': table(
      count(1, 13).map((i) => `LandCover-${i}`),
      38,
    ),
    'PA_bioclimatic_monthly.csv': csv([
      ['surveyId', ...monthly.map(({ name, year, month }) => `Bio-${name}_${String(month).padStart(2, '0')}_${year}`)],
      ...surveys.map((survey) => [
        survey.id,
        ...monthly.map(({ v, year, month }) => climateValue(survey, v, year - 2000, month - 1)),
      ]),
    ]),
    ...Object.fromEntries(LANDSAT.map((name, band) => [`PA_landsat-${name}.csv`, landsat(band)])),
  }
}

/** Climate [4, 19, 12] is by year and month, Landsat [6, 4, 21] by quarter and year. */
const cubes = (surveys: readonly Survey[]): Files => {
  const tensor = (
    shape: readonly number[],
    value: (a: number, b: number, c: number) => number | null,
  ): StoredTensor => {
    const [first, second, third] = shape.map((size) => count(0, size - 1))
    const values = first!.flatMap((a) => second!.flatMap((b) => third!.map((c) => value(a, b, c) ?? Number.NaN)))
    return { type: 'f8', shape, values }
  }
  return Object.fromEntries(
    surveys.flatMap((survey) => [
      [
        `climate_cubes/${survey.id}_cube.pt`,
        torchBytes(tensor([4, 19, 12], (v, y, m) => climateValue(survey, v, y, m))),
      ],
      [
        `landsat_cubes/${survey.id}_cube.pt`,
        torchBytes(tensor([6, 4, 21], (b, q, y) => landsatValue(survey, b, y, q))),
      ],
    ]),
  )
}

const pictures = new Map<string, Promise<Buffer>>()

/** Those of `tint` modulo 100 are the same. */
const picture = (tint: number, channels: 1 | 3): Promise<Buffer> => {
  const key = `${tint % 100}/${channels}`
  const known = pictures.get(key)
  if (known !== undefined) return known
  const pixels = Uint8Array.from({ length: 128 * 128 * channels }, (_, i) => {
    const [x, y] = [Math.floor(i / channels) % 128, Math.floor(i / channels / 128)]
    return (x + 30 * (i % channels) + (tint % 100) + (y >> 1)) % 256
  })
  const made = sharp(pixels, { raw: { width: 128, height: 128, channels } })
    .jpeg()
    .toBuffer()
  pictures.set(key, made)
  return made
}

const patches = async (survey: Survey): Promise<readonly (readonly [string, Uint8Array])[]> => {
  const digits = String(survey.id)
  const path = `${digits.slice(-2)}/${digits.slice(-4, -2)}/${digits}.jpeg`
  return [
    [`patches_rgb/${path}`, await picture(survey.id, 3)],
    [`patches_nir/${path}`, await picture(survey.id, 1)],
  ]
}
