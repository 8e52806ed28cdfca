import fc from 'fast-check'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { type Files, withFolder } from '#test/support/data-folder.ts'
import { DatasetError } from './dataset-error.ts'
import type { DatasetWarning, RawSet } from './raw-set.ts'
import { type ReadFolderOptions, readFolder } from './read-folder.ts'

const read = (files: Files, options?: ReadFolderOptions): Promise<RawSet> =>
  withFolder(files, (folder) => readFolder(folder, options))

const failure = async (files: Files, options?: ReadFolderOptions): Promise<DatasetError> => {
  const error = await read(files, options).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  )
  if (error instanceof DatasetError) return error
  throw error
}

const MODALITIES = [
  { kind: 'tabular', name: 'climate', columns: ['warmth', { column: 'rain', unit: 'mm' }] },
  {
    kind: 'tabular',
    name: 'ground',
    file: 'ground.csv',
    columns: [
      { column: 'class', categories: 'from-train' },
      { column: 'rock', categories: ['lime', 'granite'] },
      { column: 'code', categories: [3, 7] },
    ],
  },
  {
    kind: 'series',
    name: 'green',
    file: 'green.csv',
    stepMs: 86_400_000,
    periods: 2,
    variables: [
      { name: 'red', columns: ['r1', 'r2', 'r3', 'r4'] },
      { name: 'nir', columns: ['n1', 'n2', 'n3', 'n4'] },
    ],
  },
  {
    kind: 'image',
    name: 'satellite',
    width: 4,
    height: 2,
    patch: 2,
    source: { raster: 'world', longitude: 'lon', latitude: 'lat' },
  },
  { kind: 'location', name: 'place', latitude: 'lat', longitude: 'lon', elevationM: 'height' },
  { kind: 'embedding', name: 'song', encoder: 'toy-1', columns: ['e0', 'e1'] },
] as const

const DESCRIPTION = {
  schema: 'dataset/1',
  table: 'sites.csv',
  id: 'site',
  split: { column: 'part', train: [0, 1], validation: [2], test: [3] },
  time: 'at',
  labels: { file: 'labels.csv', columns: ['owl', { column: 'fox', taxonId: 'gbif:5219243' }] },
  modalities: MODALITIES,
}

const RASTER = { width: 40, height: 30, channels: 3, west: -10, north: 60, degreesPerPixel: 0.5 }
const PIXELS = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 31 + (i >> 6)) % 256)

const number = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((x) => x + 0))
// String() loses the sign of zero.
const degrees = (min: number, max: number) => fc.double({ min, max, noNaN: true }).map((x) => x + 0)
const siteArbitrary = fc.record({
  part: fc.constantFrom(0, 1, 2, 3),
  atMs: fc.option(fc.integer({ min: 0, max: 2 ** 41 })),
  warmth: number,
  rain: number,
  class: fc.option(fc.integer({ min: 0, max: 3 })),
  rock: fc.option(fc.constantFrom('lime', 'granite')),
  code: fc.option(fc.constantFrom(3, 7)),
  red: fc.array(number, { minLength: 4, maxLength: 4 }),
  nir: fc.array(number, { minLength: 4, maxLength: 4 }),
  place: fc.option(fc.record({ lon: degrees(-8, 8), lat: degrees(46, 58) })),
  height: number,
  song: fc.option(fc.tuple(degrees(-9, 9), degrees(-9, 9))),
  owl: fc.constantFrom(0, 1, null),
  fox: fc.constantFrom(0, 1, null),
})
type Site = typeof siteArbitrary extends fc.Arbitrary<infer T> ? T : never
// Both parts that must not be empty are there.
const sitesArbitrary = fc
  .tuple(siteArbitrary, siteArbitrary, fc.array(siteArbitrary, { maxLength: 12 }))
  .map(([a, b, others]) => [{ ...a, part: 0 as const }, { ...b, part: 2 as const }, ...others])

const cell = (value: number | string | null | undefined): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? `"${value}"` : String(value)
const csv = (header: string, rows: readonly (readonly (number | string | null | undefined)[])[]): string =>
  [header, ...rows.map((row) => row.map(cell).join(','))].join('\n')

const filesOf = (sites: readonly Site[]): Record<string, string | Uint8Array> => ({
  'dataset.json': JSON.stringify(DESCRIPTION),
  'world.json': JSON.stringify(RASTER),
  'world.u8': PIXELS,
  'sites.csv': csv(
    'site,part,at,warmth,rain,lon,lat,height,e0,e1',
    sites.map((it, i) => [
      `s${i}`,
      it.part,
      it.atMs === null ? null : new Date(it.atMs).toISOString(),
      it.warmth,
      it.rain,
      it.place?.lon,
      it.place?.lat,
      it.height,
      it.song?.[0],
      it.song?.[1],
    ]),
  ),
  'ground.csv': csv(
    'class,site,rock,code',
    sites.map((it, i) => [it.class, `s${i}`, it.rock, it.code]),
  ),
  'green.csv': csv(
    'site,r1,r2,r3,r4,n1,n2,n3,n4',
    sites.map((it, i) => [`s${i}`, ...it.red, ...it.nir]),
  ),
  'labels.csv': csv(
    'site,fox,owl',
    sites.map((it, i) => [`s${i}`, it.fox, it.owl]),
  ),
})

/** The window's pixels one by one, straight from the description of the raster. */
const windowOf = ({ lon, lat }: { lon: number; lat: number }): ReadingContent => {
  const column = Math.floor((lon - RASTER.west) / RASTER.degreesPerPixel)
  const row = Math.floor((RASTER.north - lat) / RASTER.degreesPerPixel)
  const pixels: number[] = []
  for (const y of [row - 1, row]) {
    for (const x of [column - 2, column - 1, column, column + 1]) {
      for (const c of [0, 1, 2]) pixels.push(PIXELS[(y * RASTER.width + x) * 3 + c]!)
    }
  }
  return { kind: 'image', width: 4, height: 2, channels: 3, pixels: Uint8Array.from(pixels) }
}

const contentsOf = (it: Site): readonly (readonly [string, ReadingContent])[] => {
  const isAny = (values: readonly unknown[]) => values.some((value) => value !== null)
  const { warmth, rain, code, red, nir, place, song } = it
  const rock = it.rock === null ? null : ['lime', 'granite'].indexOf(it.rock)
  const ground = { class: it.class, rock, code }
  const content: (readonly [string, ReadingContent | null])[] = [
    ['climate', isAny([warmth, rain]) ? { kind: 'scalars', values: { warmth, rain } } : null],
    ['ground', isAny(Object.values(ground)) ? { kind: 'scalars', values: ground } : null],
    ['green', isAny([...red, ...nir]) ? { kind: 'series', stepMs: 86_400_000, variables: { red, nir } } : null],
    ['satellite', place === null ? null : windowOf(place)],
    ['place', place && { kind: 'location', latitude: place.lat, longitude: place.lon, elevationM: it.height }],
    ['song', song && { kind: 'embedding', encoder: 'toy-1', vector: song }],
  ]
  return content.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]))
}

test('what a description says is what is read', async () => {
  await fc.assert(
    fc.asyncProperty(sitesArbitrary, async (sites) => {
      const raw = await read(filesOf(sites))
      expect(raw.labels).toEqual([
        { name: 'owl', taxonId: null },
        { name: 'fox', taxonId: 'gbif:5219243' },
      ])
      expect(raw.examples).toEqual(
        sites.map((it, i) => {
          const hour = Math.floor((it.atMs ?? 0) / 3_600_000) * 3_600_000
          return {
            id: `s${i}`,
            part: (['train', 'train', 'validation', 'test'] as const)[it.part],
            window: { startMs: hour, endMs: hour + 3_600_000 },
            readings: contentsOf(it).map(([modality, content]) => ({
              id: `s${i}:${modality}`,
              modality,
              content,
              observedAtMs: it.atMs,
            })),
            labels: Float32Array.of(it.owl ?? Number.NaN, it.fox ?? Number.NaN),
          }
        }),
      )
    }),
    { numRuns: 60 },
  )
})

test('the shapes of the modalities', async () => {
  const sites = fc.sample(sitesArbitrary, { numRuns: 1, seed: 5 })[0]!
  expect((await read(filesOf(sites))).templates).toEqual([
    {
      kind: 'tabular',
      name: 'climate',
      variables: [
        { type: 'number', name: 'warmth' },
        { type: 'number', name: 'rain' },
      ],
    },
    {
      kind: 'tabular',
      name: 'ground',
      variables: [
        { type: 'category', name: 'class', categories: null },
        { type: 'category', name: 'rock', categories: [0, 1] },
        { type: 'category', name: 'code', categories: [3, 7] },
      ],
    },
    { kind: 'series', name: 'green', stepMs: 86_400_000, periods: 2, stepsPerPeriod: 2, variables: ['red', 'nir'] },
    { kind: 'image', name: 'satellite', width: 4, height: 2, channels: 3, patch: 2 },
    { kind: 'location', name: 'place', parts: ['position', 'elevation', 'season', 'dayTime'] },
    { kind: 'embedding', name: 'song', encoder: 'toy-1', size: 2 },
  ])
  expect((await read(filesOf(sites), { modalities: ['song', 'climate'] })).templates.map((it) => it.name)).toEqual([
    'climate',
    'song',
  ])
})

test('every wrong cell is named by file, row and column', async () => {
  const columns = [
    ...['warmth', 'rain', 'lon', 'lat', 'height', 'e0', 'e1'].map(
      (column) => ['sites.csv', column, 'not-a-number'] as const,
    ),
    ['sites.csv', 'at', 'bad-time'] as const,
    ...['class', 'code'].map((column) => ['ground.csv', column, 'not-a-number'] as const),
    ['ground.csv', 'rock', 'unknown-category'] as const,
    ...['r1', 'r4', 'n1', 'n3'].map((column) => ['green.csv', column, 'not-a-number'] as const),
    ...['owl', 'fox'].map((column) => ['labels.csv', column, 'bad-label'] as const),
  ]
  await fc.assert(
    fc.asyncProperty(
      sitesArbitrary,
      fc.constantFrom(...columns),
      fc.nat(),
      fc.constantFrom('x', '1,5', '--1', '0x10', '1e', 'NA', '2026-13-01T00:00Z', '1 2', 'Infinity', '٣'),
      async (sites, [file, column, code], at, wrong) => {
        const files = filesOf(sites)
        const lines = String(files[file]).split('\n')
        const row = at % sites.length
        const cells = lines[row + 1]!.split(',')
        cells[lines[0]!.split(',').indexOf(column)] = `"${wrong}"`
        lines[row + 1] = cells.join(',')
        const error = await failure({ ...files, [file]: lines.join('\n') })
        expect([error.code, error.place]).toEqual([code, { file, row: row + 2, column }])
        expect(error.message).toContain(`${file}, row ${row + 2}, column "${column}": `)
      },
    ),
    { numRuns: 100 },
  )
})

const SITES: readonly Site[] = ([0, 2, 3] as const).map((part) => ({
  part,
  atMs: 0,
  warmth: 1,
  rain: 2,
  class: 1,
  rock: 'lime',
  code: 3,
  red: [1, 2, 3, 4],
  nir: [1, 2, 3, 4],
  place: { lon: 0, lat: 50 },
  height: 100,
  song: [1, 2],
  owl: 1,
  fox: 0,
}))

test('other faults, each with its code and place', async () => {
  const check = async (changed: Files, code: string, place: unknown) => {
    const error = await failure({ ...filesOf(SITES), ...changed })
    expect([error.code, error.place], error.message).toEqual([code, place])
  }
  const edited = (file: string, edit: (text: string) => string): Files => ({
    [file]: edit(String(filesOf(SITES)[file])),
  })
  const described = (change: object): Files => ({ 'dataset.json': JSON.stringify({ ...DESCRIPTION, ...change }) })
  const modality = (n: number, change: object) =>
    described({ modalities: MODALITIES.map((it, i) => (i === n ? { ...it, ...change } : it)) })
  const own = { file: 'dataset.json' }

  await check({ 'dataset.json': '{' }, 'bad-description', own)
  await check(described({ schema: 'dataset/2' }), 'bad-description', own)
  await check(described({ colour: 1 }), 'bad-description', own)
  await check(described({ table: '../sites.csv' }), 'bad-description', own)
  await check(described({ split: { column: 'part', train: [0], validation: [0], test: [] } }), 'bad-description', own)
  await check(modality(0, { name: 'song' }), 'bad-description', own)
  await check(modality(2, { periods: 3 }), 'bad-description', own)
  await check(modality(3, { patch: 3 }), 'bad-description', own)
  await check(modality(0, { columns: ['warmth', 'warmth'] }), 'bad-description', own)

  await check(described({ table: 'absent.csv' }), 'missing-file', { file: 'absent.csv' })
  await check(described({ id: 'name' }), 'missing-column', { file: 'sites.csv', row: 1, column: 'name' })
  await check(modality(0, { columns: ['snow'] }), 'missing-column', { file: 'sites.csv', row: 1, column: 'snow' })
  await check(
    edited('sites.csv', (it) => it.replace('rain', 'warmth')),
    'bad-table',
    {
      file: 'sites.csv',
      row: 1,
      column: 'warmth',
    },
  )
  await check(
    edited('sites.csv', (it) => it.slice(0, -3)),
    'bad-table',
    { file: 'sites.csv', row: 4 },
  )
  await check(
    edited('labels.csv', (it) => it.replace('"s2"', '"s2')),
    'bad-table',
    { file: 'labels.csv', row: 4 },
  )
  await check({ 'ground.csv': '' }, 'bad-table', { file: 'ground.csv' })
  await check(
    edited('labels.csv', (it) => it.slice(0, it.lastIndexOf('\n'))),
    'row-count',
    { file: 'labels.csv' },
  )
  await check(
    edited('green.csv', (it) => `${it}\ns3,1,1,1,1,1,1,1,1`),
    'row-count',
    { file: 'green.csv' },
  )
  await check(
    edited('ground.csv', (it) => it.replace('s1', 's9')),
    'row-order',
    {
      file: 'ground.csv',
      row: 3,
      column: 'site',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace('s2', 's0')),
    'duplicate-id',
    {
      file: 'sites.csv',
      row: 4,
      column: 'site',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace('"s1"', '')),
    'missing-value',
    {
      file: 'sites.csv',
      row: 3,
      column: 'site',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace('"s1",2', '"s1",')),
    'missing-value',
    {
      file: 'sites.csv',
      row: 3,
      column: 'part',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace('"s1",2', '"s1",7')),
    'too-few',
    {
      file: 'sites.csv',
      column: 'part',
    },
  )
  await check(
    edited('ground.csv', (it) => it.replace('"s1","lime",3', '"s1","lime",4')),
    'unknown-category',
    {
      file: 'ground.csv',
      row: 3,
      column: 'code',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace(/1,2$/, '1,')),
    'missing-value',
    {
      file: 'sites.csv',
      row: 4,
      column: 'e1',
    },
  )
  await check(
    edited('sites.csv', (it) => it.replace(',0,50,', ',0,500,')),
    'outside-raster',
    {
      file: 'sites.csv',
      row: 2,
      column: 'lon',
    },
  )
  await check({ 'world.u8': PIXELS.subarray(1) }, 'wrong-size', { file: 'world.u8' })
  await check({ 'world.json': '{}' }, 'bad-description', { file: 'world.json' })
  await check(modality(3, { source: { raster: 'moon', longitude: 'lon', latitude: 'lat' } }), 'missing-file', {
    file: 'moon.json',
  })
  await check(modality(3, { bands: ['red', 'nir'] }), 'bad-description', { file: 'world.json' })
})

test('places beyond the poles are refused', async () => {
  const files = filesOf(SITES.map((it) => ({ ...it, place: { lon: 0, lat: 90.5 } })))
  const error = await failure(files, { modalities: ['place'] })
  expect([error.code, error.place]).toEqual(['not-a-number', { file: 'sites.csv', row: 2, column: 'lat' }])
  const unknown = await failure(files, { modalities: ['sonar'] })
  expect([unknown.code, unknown.message]).toEqual(['bad-description', expect.stringContaining('climate, ground')])
})

test('rows of no part are left out and counted; lines are those of the file, whatever stands in quotes', async () => {
  const warnings: DatasetWarning[] = []
  const files = {
    'dataset.json': JSON.stringify({
      schema: 'dataset/1',
      table: 't.csv',
      id: 'id',
      split: { column: 'fold', train: ['a'], validation: ['b'], test: [] },
      labels: { file: 'l.csv', columns: 'others' },
      missing: ['', 'NA'],
      modalities: [{ kind: 'tabular', name: 'm', columns: ['x'] }],
    }),
    't.csv': '\uFEFFid,fold,note,x\r\n1,a,"two\r\nlines",1\r\n\r\n2,kept aside,,2\r\n3,b,,NA\r\n',
    'l.csv': 'id,p,q\n1,0,1\n2,,\n3,NA,1\n',
  }
  const raw = await read(files, { onWarning: (warning) => warnings.push(warning) })
  expect(raw.examples.map(({ id, part, readings, labels }) => [id, part, readings.length, [...labels]])).toEqual([
    ['1', 'train', 1, [0, 1]],
    ['3', 'validation', 0, [Number.NaN, 1]],
  ])
  expect(raw.labels.map((label) => label.name)).toEqual(['p', 'q'])
  expect(warnings).toEqual([{ code: 'unused-rows', subject: 'fold', count: 1, detail: 'rows of no part are left out' }])
  const error = await failure({ ...files, 't.csv': files['t.csv'].replace('NA', 'many') })
  expect(error.place).toEqual({ file: 't.csv', row: 6, column: 'x' })
})

test('pictures of rows are decoded to one size; broken and absent ones are named', async () => {
  const picture = (red: number) =>
    sharp({ create: { width: 16, height: 12, channels: 3, background: { r: red, g: 100, b: 50 } } })
  const files = {
    'dataset.json': JSON.stringify({
      schema: 'dataset/1',
      table: 't.csv',
      id: 'id',
      split: { column: 'fold', train: ['a'], validation: ['b'], test: [] },
      labels: { file: 't.csv', columns: ['p'] },
      modalities: [
        { kind: 'image', name: 'photo', width: 8, height: 4, patch: 4, source: { column: 'photo', channels: 3 } },
      ],
    }),
    't.csv': 'id,fold,p,photo\n1,a,1,photos/one.png\n2,b,0,photos/two.jpg\n3,a,0,\n',
    'photos/one.png': await picture(200).png().toBuffer(),
    'photos/two.jpg': await picture(30).jpeg({ quality: 95 }).toBuffer(),
  }
  const raw = await read(files)
  const contents = raw.examples.map(({ readings }) => readings[0]?.content)
  expect(contents[0]).toEqual({
    kind: 'image',
    width: 8,
    height: 4,
    channels: 3,
    pixels: Uint8Array.from({ length: 96 }, (_, i) => [200, 100, 50][i % 3]!),
  })
  const [second] = contents.slice(1)
  expect(second?.kind === 'image' && Math.abs(second.pixels[0]! - 30) <= 3).toBe(true)
  expect(contents[2]).toBeUndefined()

  const place = { file: 't.csv', row: 3, column: 'photo' }
  const cut = await failure({ ...files, 'photos/two.jpg': files['photos/two.jpg'].subarray(0, 200) })
  expect([cut.code, cut.place]).toEqual(['bad-image', place])
  const absent = await failure({ ...files, 't.csv': files['t.csv'].replace('two', 'three') })
  expect([absent.code, absent.place]).toEqual(['missing-file', place])
  const outside = await failure({ ...files, 't.csv': files['t.csv'].replace('photos/two', '../two') })
  expect([outside.code, outside.place]).toEqual(['bad-image', place])
})

test('a hundred thousand rows are read whole', async () => {
  const rows = 100_000
  const lines = Array.from({ length: rows }, (_, i) => `${i},${i % 4},${i / 8},${i % 7 === 0 ? '' : -i}`)
  const files = {
    'dataset.json': JSON.stringify({
      schema: 'dataset/1',
      table: 't.csv',
      id: 'id',
      split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
      labels: { file: 'l.csv', columns: 'others' },
      modalities: [{ kind: 'tabular', name: 'm', columns: ['x', 'y'] }],
    }),
    't.csv': `id,fold,x,y\n${lines.join('\n')}\n`,
    'l.csv': `id,p\n${Array.from({ length: rows }, (_, i) => `${i},${i % 2}`).join('\n')}\n`,
  }
  const { examples } = await read(files)
  expect(examples).toHaveLength(rows)
  expect(examples[99_995]).toEqual({
    id: '99995',
    part: 'test',
    window: { startMs: 0, endMs: 3_600_000 },
    readings: [
      {
        id: '99995:m',
        modality: 'm',
        observedAtMs: null,
        content: { kind: 'scalars', values: { x: 12499.375, y: null } },
      },
    ],
    labels: Float32Array.of(1),
  })
})
