import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { describedData } from '#test/support/datasets.ts'
import { realData } from '#test/support/real-data.ts'
import { buildTrainingSet } from './build-set.ts'
import type { DatasetWarning, RawExample } from './raw-set.ts'
import { readFolder } from './read-folder.ts'

const { path: PLANTS, isHere: hasPlants } = realData('glc23-sample')
const { path: LAND, isHere: hasLand } = realData('landcover-modis')

/** The rows of a table without quotes, straight from its text. */
const rowsOf = async (file: string): Promise<readonly Readonly<Record<string, string>>[]> => {
  const [header, ...lines] = (await readFile(file, 'utf8')).trim().split('\n')
  const columns = header!.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [columns[i]!, cell])))
}

const contentOf = ({ readings }: RawExample, modality: string) =>
  readings.find((reading) => reading.modality === modality)?.content

test.skipIf(!hasPlants)(
  'glc23-sample: every cell of 70 series and footprints, pictures cut to 125 pixels',
  async () => {
    const raw = await readFolder(describedData('glc23-sample'))
    const occurrences = await rowsOf(join(PLANTS, 'occurrences.csv'))
    const landsat = await rowsOf(join(PLANTS, 'landsat_quarterly.csv'))
    expect(raw.examples.map((it) => it.id)).toEqual(occurrences.map((it) => it.sample_id))
    expect(raw.labels).toHaveLength(new Set(occurrences.map((it) => it.species_id)).size)

    const footprint = (text: string) => (Number(text) >= 0 && Number(text) <= 10 ? Number(text) : null)
    let missing = 0
    for (const [i, example] of raw.examples.entries()) {
      const own = occurrences[i]!
      expect(raw.labels.filter((_, l) => example.labels[l] === 1).map((it) => it.name)).toEqual([own.species_id])
      const lights = footprint(own.human_footprint_lights2009!)
      const built = footprint(own.human_footprint_built2009!)
      const values = { human_footprint_lights2009: lights, human_footprint_built2009: built }
      const known = lights !== null || built !== null
      expect(contentOf(example, 'footprint')).toEqual(known ? { kind: 'scalars', values } : undefined)
      const steps = landsat.filter((it) => it.sample_id === example.id)
      const band = (name: string) => steps.map((it) => (it[name] === 'eos' ? null : Number(it[name])))
      const variables = Object.fromEntries(
        ['red', 'green', 'blue', 'nir', 'swir1', 'swir2'].map((it) => [it, band(it)]),
      )
      expect(contentOf(example, 'landsat')).toEqual({ kind: 'series', stepMs: 7_889_400_000, variables })
      missing += Object.values(variables)
        .flat()
        .filter((it) => it === null).length
    }
    // About 4 % of 70 × 84 × 6, as its README says.
    expect(missing).toBe(landsat.flatMap((it) => Object.values(it)).filter((it) => it === 'eos').length)
    expect(missing / (70 * 84 * 6)).toBeCloseTo(0.04, 2)

    const [first] = raw.examples
    const picture = contentOf(first!, 'sentinel')
    const whole = (folder: string) => sharp(join(PLANTS, folder, '2522017.jpeg'))
    const rgb = await whole('patches_rgb').raw().toBuffer()
    const nir = await whole('patches_nir').toColourspace('b-w').raw().toBuffer()
    const expected = Uint8Array.from({ length: 125 * 125 * 4 }, (_, i) => {
      const [y, x, c] = [Math.floor(i / 500) + 1, (Math.floor(i / 4) % 125) + 1, i % 4]
      return c === 3 ? nir[y * 128 + x]! : rgb[(y * 128 + x) * 3 + c]!
    })
    expect(picture).toEqual({ kind: 'image', width: 125, height: 125, channels: 4, pixels: expected })

    const set = buildTrainingSet(raw)
    const parts = [set.train, set.validation, set.test!]
    const cellOf = new Map(occurrences.map((it) => [it.sample_id!, `${Math.floor(+it.lon!)} ${Math.floor(+it.lat!)}`]))
    const cells = parts.map((part) => new Set(part.ids.map((id) => cellOf.get(id)!)))
    const all = new Set(cellOf.values()).size
    expect(cells.map((it) => it.size)).toEqual([
      all - 2 * Math.round(0.15 * all),
      ...[0, 0].map(() => Math.round(0.15 * all)),
    ])
    expect(new Set(cells.flatMap((it) => [...it])).size).toBe(all)
  },
)

test.skipIf(!hasLand)('landcover-modis: classes, folds, and a token for each variable and date', async () => {
  const warnings: DatasetWarning[] = []
  const raw = await readFolder(describedData('landcover-modis'))
  const set = buildTrainingSet(raw, { onWarning: (it) => warnings.push(it) })
  expect([set.train.ids.length, set.validation.ids.length, set.test?.ids.length]).toEqual([888, 295, 295])
  expect(set.task).toBe('single-label')
  expect(warnings).toEqual([])
  const { modalities, slots } = set.layout
  expect(modalities.map((_, m) => slots.filter((slot) => slot.modality === m).length)).toEqual([46, 46, 46])
  const counts = set.labels.map(({ name }, l) => [name, raw.examples.filter((it) => it.labels[l] === 1).length])
  expect(Object.fromEntries(counts)).toEqual({
    Cerrado: 273,
    Fallow_Cotton: 23,
    Forest: 102,
    Pasture: 263,
    Soy_Corn: 274,
    Soy_Cotton: 272,
    Soy_Fallow: 66,
    Soy_Millet: 168,
    Soy_Sunflower: 37,
  })

  // The first rows of samples.csv and series.csv.
  const mt0001 = raw.examples[0]!
  expect([mt0001.id, mt0001.part, set.labels[mt0001.labels.indexOf(1)]!.name]).toEqual([
    'mt0001',
    'validation',
    'Pasture',
  ])
  const infrared = contentOf(mt0001, 'infrared')
  expect(infrared?.kind === 'series' && infrared.variables.nir!.slice(0, 2)).toEqual([0.316, 0.2747])
  const dates = await rowsOf(join(LAND, 'series.csv'))
  for (const example of raw.examples.slice(100, 130)) {
    const own = dates.filter((it) => it.id === example.id)
    for (const [modality, bands] of [
      ['vegetation_index', ['ndvi', 'evi']],
      ['visible', ['red', 'blue']],
    ] as const) {
      const variables = Object.fromEntries(bands.map((band) => [band, own.map((it) => Number(it[band]))]))
      expect(contentOf(example, modality)).toEqual({ kind: 'series', stepMs: 1_382_400_000, variables })
    }
  }
})

test.skipIf(!hasLand)('landcover-modis-places: the modalities that know two classes by heart', async () => {
  const { examples, labels, templates } = await readFolder(describedData('landcover-modis-places'))
  expect(templates.map((it) => it.name).slice(3)).toEqual([
    'location',
    'satellite_image',
    'night_lights',
    'elevation_image',
  ])
  const cellsOf = (name: string) => {
    const label = labels.findIndex((it) => it.name === name)
    const places = examples.filter((it) => it.labels[label] === 1).map((it) => contentOf(it, 'location'))
    return new Set(
      places.map((it) => it?.kind === 'location' && `${Math.floor(10 * it.longitude)} ${Math.floor(10 * it.latitude)}`),
    ).size
  }
  // The pitfall of its README: two classes have a cell of 0.1 degrees each, the others are spread.
  expect(['Forest', 'Soy_Fallow', 'Pasture'].map(cellsOf)).toEqual([1, 1, 122])
  const bytes = await readFile(join(LAND, 'satellite_rgb.u8'))
  const window = contentOf(examples[0]!, 'satellite_image')
  // By hand, for −55.1852, −10.8378: (−55.1852 + 62.490234375) / 0.087890625 = 83.1, (−7.294921875 + 10.8378) / … = 40.3.
  const expected = Array.from({ length: 8 * 8 * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3]
    return bytes[((36 + y) * 148 + 79 + x) * 3 + c]
  })
  expect(window?.kind === 'image' && [...window.pixels]).toEqual(expected)
})

const { isHere: hasFrogs } = realData('frog-mfcc')

test.skipIf(!hasFrogs)('frog-mfcc: three parts of the cepstrum, runs of lines in one part', async () => {
  const raw = await readFolder(describedData('frog-mfcc'))
  expect([raw.examples.length, raw.labels.length, raw.task]).toEqual([5032, 10, 'single-label'])
  const species = (name: string) => {
    const label = raw.labels.findIndex((it) => it.name === name)
    return raw.examples.filter((it) => it.labels[label] === 1).length
  }
  expect(['AdenomeraHylaedactylus', 'Rhinellagranulosa'].map(species)).toEqual([2434, 47])
  // The first line of syllables.csv.
  expect(contentOf(raw.examples[0]!, 'coarse')).toEqual({
    kind: 'embedding',
    encoder: 'mfcc',
    vector: [0.152936, -0.105586, 0.200722, 0.317201, 0.260764, 0.100945, -0.150063],
  })
  const runs = new Map<number, Set<string>>()
  for (const { id, part } of raw.examples) {
    const run = Math.floor(Number(id) / 50)
    runs.set(run, (runs.get(run) ?? new Set()).add(part))
  }
  expect([...runs.values()].every((parts) => parts.size === 1)).toBe(true)
})
