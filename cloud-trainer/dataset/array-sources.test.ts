import sharp from 'sharp'
import { expect, test } from 'vitest'
import { elementBytes, npyBytes, npyHeader, safetensorsBytes, torchBytes, zipBytes } from '#test/support/array-files.ts'
import { type Files, withFolder } from '#test/support/data-folder.ts'
import { buildTrainingSet } from './build-set.ts'
import { DatasetError } from './dataset-error.ts'
import { readFolder } from './read-folder.ts'

const DESCRIPTION = {
  schema: 'dataset/1',
  table: 'rows.csv',
  id: 'id',
  split: { column: 'part', train: [0], validation: [1], test: [] },
  labels: { file: 'rows.csv', columns: ['owl'] },
}
const ROWS = 'id,part,owl,plot\n1041,0,1,a\n1042,1,0,b\n1043,0,1,\n'

/** What each row has of the one modality. */
const contents = (modality: object, files: Files) => {
  const json = JSON.stringify({ ...DESCRIPTION, modalities: [{ name: 'm', ...modality }] })
  return withFolder({ 'rows.csv': ROWS, ...files, 'dataset.json': json }, async (folder) =>
    (await readFolder(folder)).examples.map(({ readings }) => readings[0]?.content ?? null),
  )
}

const failure = async (modality: object, files: Files) => {
  const error = await contents(modality, files).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  )
  if (error instanceof DatasetError) return [error.code, error.message]
  throw error
}

const vectorsOf = async (vectors: object, files: Files) =>
  (await contents({ kind: 'embedding', encoder: 'clip', size: 2, vectors }, files)).map((it) =>
    it?.kind === 'embedding' ? it.vector : it,
  )
const f4 = (shape: number[], values: number[]) => ({ type: 'f4', shape, values }) as const
const STACK = f4([3, 2], [1, 2, 3, 4, 5, 6])

test('embeddings: a stack in the order of the table, in each format', async () => {
  const all = [
    [1, 2],
    [3, 4],
    [5, 6],
  ]
  expect(await vectorsOf({ file: 'v.npy' }, { 'v.npy': npyBytes(STACK) })).toEqual(all)
  const named = { file: 'v.npz', array: 'audio' }
  expect(await vectorsOf(named, { 'v.npz': zipBytes({ 'audio.npy': npyBytes(STACK) }) })).toEqual(all)
  const safe = { file: 'v.safetensors', array: 'audio' }
  expect(await vectorsOf(safe, { 'v.safetensors': safetensorsBytes({ other: STACK, audio: STACK }) })).toEqual(all)
  expect(await vectorsOf({ file: 'v.pt' }, { 'v.pt': torchBytes(STACK) })).toEqual(all)
})

test('embeddings: found by ids, as numbers and as texts; what is not there is missing', async () => {
  const numbers = { type: 'i8', shape: [3], values: [1043, 7, 1041] } as const
  const expected = [[5, 6], null, [1, 2]]
  const byId = { array: 'v', ids: 'ids' }
  expect(await vectorsOf({ ...byId, file: 'v.pt' }, { 'v.pt': torchBytes({ v: STACK, ids: numbers }) })).toEqual(
    expected,
  )
  const texts = Buffer.concat([
    npyHeader("{'descr': '|S4', 'fortran_order': False, 'shape': (3,), }"),
    Buffer.from(['1043', '7', '1041'].map((id) => id.padEnd(4, '\0')).join('')),
  ])
  const npz = zipBytes({ 'v.npy': npyBytes(STACK), 'ids.npy': texts })
  expect(await vectorsOf({ ...byId, file: 'v.npz' }, { 'v.npz': npz })).toEqual(expected)
})

test('embeddings: a file for each row, named by its cells', async () => {
  const vector = (a: number, b: number) => npyBytes(f4([2], [a, b]))
  const files = { 'e/10/a.npy': vector(1, 2), 'e/10/b.npy': vector(Number.NaN, Number.NaN) }
  const path = 'e/{id[-4:-2]}/{plot}.npy'
  expect(await vectorsOf({ path }, files)).toEqual([[1, 2], null, null])
  const { 'e/10/b.npy': _, ...one } = files
  expect(await vectorsOf({ path, absent: 'missing' }, one)).toEqual([[1, 2], null, null])
  const modality = { kind: 'embedding', encoder: 'clip', size: 2, vectors: { path } }
  expect(await failure(modality, one)).toEqual([
    'missing-file',
    'e/10/b.npy: of row 3 of rows.csv: there is no such file',
  ])
  const outside = { 'rows.csv': ROWS.replace('1042,1,0,b', '1042,1,0,../../b') }
  expect(await failure(modality, { ...files, ...outside })).toEqual([
    'missing-file',
    'rows.csv, row 3: "e/10/../../b.npy" is not in the folder',
  ])
})

test('embeddings: what does not fit', async () => {
  const check = async (vectors: object, files: Files, code: string, message: string) =>
    expect(await failure({ kind: 'embedding', encoder: 'clip', size: 2, vectors }, files)).toEqual([code, message])
  const npy = (shape: number[], values: number[]) => ({ 'v.npy': npyBytes(f4(shape, values)) })
  const file = 'v.npy'
  await check({ file }, npy([2, 2], [1, 2, 3, 4]), 'row-count', 'v.npy: 2 rows, but 3 in rows.csv')
  await check({ file }, npy([3, 1], [1, 2, 3]), 'wrong-size', 'v.npy: an array of [3, 1], but [3, 2] is described')
  await check(
    { file },
    npy([3, 2], [1, 2, 3, Number.NaN, 5, 6]),
    'missing-value',
    'v.npy, column "1042[1]": an embedding is there as a whole or not at all',
  )
  await check({ file }, {}, 'missing-file', 'v.npy: there is no such file')
  for (const name of ['v.npy', 'v.npz', 'v.safetensors']) {
    const folder = { [`${name}/x`]: Buffer.of(1) }
    await check({ file: name }, folder, 'missing-file', `${name}: this is a folder, not a file`)
  }
  const cut = npyBytes(STACK).subarray(0, -1)
  await check(
    { file },
    { 'v.npy': cut },
    'bad-array',
    'v.npy, byte 128: 23 bytes of data, but the shape (3, 2) is another size',
  )
  const ids = (values: number[]) => ({ 'v.pt': torchBytes({ v: STACK, ids: f4([values.length], values) }) })
  const byId = { file: 'v.pt', array: 'v', ids: 'ids' }
  await check(byId, ids([1, 1, 2]), 'duplicate-id', 'v.pt, column "ids": "1" stands twice')
  await check(byId, ids([1, 2]), 'row-count', 'v.pt, column "ids": ids of shape [2] for 3 rows')
  await check(byId, ids([1, 2, 3]), 'row-count', 'v.pt, column "ids": none of its ids is in rows.csv')
})

test('series: cubes in any order of their axes', async () => {
  const series = {
    kind: 'series',
    stepMs: 1000,
    periods: 3,
    stepsPerPeriod: 2,
    variables: [{ name: 'a' }, { name: 'b' }],
  }
  // Value: 100 · row + 10 · (step of six) + variable, and one that is missing.
  const value = (row: number, variable: number, period: number, step: number) =>
    row === 1 && variable === 1 && period === 2 ? Number.NaN : 100 * row + 10 * (2 * period + step) + variable
  const rows = [0, 1, 2]
  const expected = rows.map((row) => {
    const steps = (variable: number) =>
      [0, 1, 2].flatMap((period) => [0, 1].map((step) => value(row, variable, period, step)))
    const known = (values: number[]) => values.map((it) => (Number.isNaN(it) ? null : it))
    return { kind: 'series', stepMs: 1000, variables: { a: known(steps(0)), b: known(steps(1)) } }
  })
  const variablePeriodStep = rows.flatMap((row) =>
    [0, 1].flatMap((v) => [0, 1, 2].flatMap((p) => [0, 1].map((s) => value(row, v, p, s)))),
  )
  const variableStepPeriod = rows.flatMap((row) =>
    [0, 1].flatMap((v) => [0, 1].flatMap((s) => [0, 1, 2].map((p) => value(row, v, p, s)))),
  )
  const check = async (axes: string[], shape: number[], values: number[]) => {
    const files = { 'c.npy': npyBytes(f4(shape, values)) }
    expect(await contents({ ...series, axes, cube: { file: 'c.npy' } }, files)).toEqual(expected)
  }
  await check(['variable', 'period', 'step'], [3, 2, 3, 2], variablePeriodStep)
  await check(['variable', 'step', 'period'], [3, 2, 2, 3], variableStepPeriod)
  const wrong = { ...series, axes: ['variable', 'step', 'period'], cube: { file: 'c.npy' } }
  expect(await failure(wrong, { 'c.npy': npyBytes(f4([3, 2, 3, 2], variablePeriodStep)) })).toEqual([
    'wrong-size',
    'c.npy: an array of [3, 2, 3, 2], but [3, 2, 2, 3] is described',
  ])
  const twice = { ...series, axes: ['step', 'step', 'period'], cube: { file: 'c.npy' } }
  expect((await failure(twice, {}))[1]).toContain('must be variable, period, step in some order')
})

test('images: arrays by channel or by pixel, whole numbers or a range', async () => {
  const image = { kind: 'image', width: 3, height: 2, patch: 1 }
  const pixels = [0, 1].flatMap((y) => [0, 1, 2].flatMap((x) => [0, 1].map((c) => 100 * c + 10 * y + x)))
  const byChannel = [0, 1].flatMap((c) => [0, 1].flatMap((y) => [0, 1, 2].map((x) => 100 * c + 10 * y + x)))
  const check = async (source: object, files: Files, expected: unknown) =>
    expect((await contents({ ...image, source }, files))[0]).toEqual(expected)
  const content = { kind: 'image', width: 3, height: 2, channels: 2, pixels: Uint8Array.from(pixels) }
  const source = { cube: { path: '{id}.npy', absent: 'missing' }, channels: 2 }
  const u1 = { type: 'u1', shape: [2, 2, 3], values: byChannel } as const
  await check({ ...source, axes: ['channel', 'y', 'x'] }, { '1041.npy': npyBytes(u1) }, content)
  const flat = npyBytes(f4([2, 3, 2], pixels))
  await check({ ...source, axes: ['y', 'x', 'channel'] }, { '1041.npy': flat }, content)
  const ranged = npyBytes(f4([2, 3, 2], [-1, 0, 1, 2, 0.5, 0.2, 0, 0, 0, 0, 0, 0.75]))
  const range = { ...source, axes: ['y', 'x', 'channel'], range: [0, 1] }
  const stretched = Uint8Array.from([0, 0, 255, 255, 128, 51, 0, 0, 0, 0, 0, 191])
  await check(range, { '1041.npy': ranged }, { ...content, pixels: stretched })
  const axes = ['y', 'x', 'channel']
  expect(await failure({ ...image, source: { ...source, axes } }, { '1041.npy': ranged })).toEqual([
    'bad-image',
    '{id}.npy, column "1041": -1 is no pixel of 0 to 255; a "range" is needed',
  ])
  const holes = npyBytes(f4([2, 3, 2], [Number.NaN, ...Array.from({ length: 11 }, () => 1)]))
  expect(await failure({ ...image, source: { ...source, axes } }, { '1041.npy': holes })).toEqual([
    'missing-value',
    '{id}.npy, column "1041": an image is there as a whole or not at all',
  ])
  expect(await contents({ ...image, source: { ...source, axes } }, {})).toEqual([null, null, null])
})

test('images: each channel with a name has tokens of its own', async () => {
  const image = {
    kind: 'image',
    width: 2,
    height: 1,
    patch: 1,
    source: { cube: { path: '{id}.npy', absent: 'missing' }, axes: ['channel', 'y', 'x'], channels: 2 },
  }
  const pixels = npyBytes({ type: 'u1', shape: [2, 1, 2], values: [0, 51, 102, 255] })
  const json = JSON.stringify({ ...DESCRIPTION, modalities: [{ ...image, name: 'sat', bands: ['red', 'nir'] }] })
  const set = await withFolder(
    { 'rows.csv': ROWS, '1041.npy': pixels, '1042.npy': pixels, 'dataset.json': json },
    async (folder) => buildTrainingSet(await readFolder(folder)),
  )
  expect(set.specs).toMatchObject([{ kind: 'image', channels: 2, bands: ['red', 'nir'] }])
  expect(set.layout.slots.map(({ name }) => name)).toEqual([
    'sat.red[0,0]',
    'sat.red[0,1]',
    'sat.nir[0,0]',
    'sat.nir[0,1]',
  ])
  const [row] = set.train.rows
  // Scaled by band to two values that lie one deviation (+ 1e-4) beside the mean.
  expect(Array.from(row!.features, (x) => x.toFixed(2))).toEqual(['-1.00', '1.00', '-1.00', '1.00'])
  const wrong = async (bands: readonly string[]) => (await failure({ ...image, bands }, {}))[1]
  expect(await wrong(['red'])).toContain('modality "m": 1 bands for 2 channels')
  expect(await wrong(['red', 'red'])).toContain('band "red" stands twice')
})

test('images: several picture files become one image, the middle cut out', async () => {
  const size = { width: 6, height: 5 }
  const raw = (channels: 1 | 3, value: (x: number, y: number, c: number) => number) =>
    sharp(
      Uint8Array.from({ length: 30 * channels }, (_, i) => {
        const pixel = Math.floor(i / channels)
        return value(pixel % 6, Math.floor(pixel / 6), i % channels)
      }),
      { raw: { ...size, channels } },
    )
  const rgb = raw(3, (x, y, c) => 60 * c + 10 * y + x)
  const nir = raw(1, (x, y) => 200 + x - y)
  const files = {
    'rgb/a.tiff': await rgb.tiff({ compression: 'lzw' }).toBuffer(),
    'nir/a.png': await nir.png().toBuffer(),
  }
  const source = {
    pictures: [
      { path: 'rgb/{plot}.tiff', channels: 3 },
      { path: 'nir/{plot}.png', channels: 1 },
    ],
    absent: 'missing',
  }
  const image = { kind: 'image', width: 3, height: 3, patch: 3, fit: 'crop', source }
  const [first, second, third] = await contents(image, files)
  // Of 6 × 5: 1 column before and 2 behind, 1 row before and 1 behind.
  const pixels = [1, 2, 3].flatMap((y) =>
    [1, 2, 3].flatMap((x) => [10 * y + x, 60 + 10 * y + x, 120 + 10 * y + x, 200 + x - y]),
  )
  expect(first).toEqual({ kind: 'image', width: 3, height: 3, channels: 4, pixels: Uint8Array.from(pixels) })
  expect([second, third]).toEqual([null, null])
  expect(await failure({ ...image, source: { ...source, absent: 'error' } }, files)).toEqual([
    'missing-file',
    'rows.csv, row 3: rgb/b.tiff: there is no such file',
  ])
  expect(await failure({ ...image, width: 9 }, files)).toEqual([
    'bad-image',
    "rows.csv, row 2: rgb/a.tiff can't be read: 6 × 5 is less than 9 × 3",
  ])
  expect((await failure(image, { ...files, 'nir/a.png': elementBytes(STACK) }))[1]).toBe(
    "rows.csv, row 2: nir/a.png can't be read",
  )
})

test('images: a TIFF that is no picture of one or three channels of bytes is refused, and a folder is named', async () => {
  const tiff = (channels: 1 | 3 | 4, depth: 'uchar' | 'ushort') => {
    const pixels = Array.from({ length: 4 * channels }, (_, i) => (depth === 'uchar' ? 15 * i : 4000 * i))
    const array = depth === 'uchar' ? Uint8Array.from(pixels) : Uint16Array.from(pixels)
    const space = depth === 'uchar' ? (channels === 1 ? 'b-w' : 'srgb') : channels === 1 ? 'grey16' : 'rgb16'
    const made = sharp(array, { raw: { width: 2, height: 2, channels } }).toColourspace(space)
    return made.tiff({ compression: 'lzw' }).toBuffer()
  }
  const image = { kind: 'image', width: 2, height: 2, patch: 1, source: { column: 'plot', channels: 3 } }
  const rows = { 'rows.csv': ROWS.replace('1,0,b', '1,0,') }
  const read = async (bytes: Buffer) => (await contents(image, { ...rows, a: bytes }))[0]
  const pixels = Uint8Array.from({ length: 12 }, (_, i) => 15 * i)
  expect(await read(await tiff(3, 'uchar'))).toMatchObject({ channels: 3, pixels })
  for (const [channels, depth] of [
    [4, 'uchar'],
    [1, 'ushort'],
    [3, 'ushort'],
  ] as const) {
    expect(await failure(image, { ...rows, a: await tiff(channels, depth) })).toEqual([
      'bad-image',
      `rows.csv, row 2, column "plot": a can't be read: a TIFF of ${channels} × ${depth} is not read, only one of 1 or 3 × uchar (8 bits); make an array of it`,
    ])
  }
  expect(await failure(image, { ...rows, 'a/b': Buffer.of(1) })).toEqual([
    'missing-file',
    'a: this is a folder, not a file',
  ])
})
