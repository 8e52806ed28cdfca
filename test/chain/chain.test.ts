import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_TRAINING } from '#cloud/training/train.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { randomStream } from '#shared/std/random.ts'
import { COMMAND } from '#test/demo/process.ts'
import { hasMosquitto } from '#test/support/mosquitto.ts'
import { type ChainProgress, runChain } from './run-chain.ts'

const hasBroker = hasMosquitto()
if (!hasBroker) console.log('skipped: mosquitto is not installed, so no chain is run')

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chain-test-'))
  await writeData(join(folder, 'data'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Owls like it warm and dark, foxes like it wet; some cells, pictures and places are missing. */
const writeData = async (data: string): Promise<void> => {
  const random = randomStream(1, 'chain-data')
  const [width, height] = [24, 24]
  const raster = { width, height, channels: 1, west: 0, north: 60, degreesPerPixel: 1 }
  const pixels = Uint8Array.from({ length: width * height }, () => random.index(256))
  const maybe = (text: string | number) => (random.uniform() < 0.1 ? '' : text)
  const rows = Array.from({ length: 360 }, (_, i) => {
    const [warmth, rain, wind] = [random.normal(), random.normal(), random.normal()]
    const [lon, lat] = [4 + random.index(16) + 0.5, 40 + random.index(16) + 0.5]
    const dark = 1 - pixels[(60 - Math.ceil(lat)) * width + Math.floor(lon)]! / 255
    const owl = 1.5 * warmth + 2 * (dark - 0.5) + 0.5 * random.normal() > 0 ? 1 : 0
    const fox = rain + 0.5 * random.normal() > 0 ? 1 : 0
    const place = random.uniform() < 0.1 ? ',' : `${lon},${lat}`
    const hour = new Date(Date.UTC(2025, 0, 1, 5 * i)).toISOString()
    return {
      site: `s${i},${i % 6},${hour},${maybe(warmth)},${maybe(rain)},${maybe(wind)},${place}`,
      labels: `s${i},${owl},${maybe(fox)}`,
    }
  })
  const description = {
    schema: 'dataset/1',
    table: 'sites.csv',
    id: 'site',
    split: { column: 'part', train: [0, 1, 2, 3], validation: [4], test: [5] },
    time: 'at',
    labels: { file: 'labels.csv', columns: 'others' },
    modalities: [
      { kind: 'tabular', name: 'weather', columns: ['warmth', 'rain', 'wind'] },
      {
        kind: 'image',
        name: 'light',
        width: 4,
        height: 4,
        patch: 2,
        source: { raster: 'night', longitude: 'lon', latitude: 'lat' },
      },
      { kind: 'location', name: 'place', latitude: 'lat', longitude: 'lon' },
    ],
  }
  await mkdir(data)
  await writeFile(join(data, 'dataset.json'), JSON.stringify(description))
  await writeFile(join(data, 'night.json'), JSON.stringify(raster))
  await writeFile(join(data, 'night.u8'), pixels)
  await writeFile(
    join(data, 'sites.csv'),
    ['site,part,at,warmth,rain,wind,lon,lat', ...rows.map((it) => it.site)].join('\n'),
  )
  await writeFile(join(data, 'labels.csv'), ['site,owl,fox', ...rows.map((it) => it.labels)].join('\n'))
}

test.skipIf(!hasBroker)(
  'a station that installed the model answers as the trainer does, from every subset',
  async () => {
    const seen: ChainProgress[] = []
    const state = join(folder, 'state')
    await mkdir(state)
    const report = await runChain({
      data: join(folder, 'data'),
      recipe: {
        ...DEFAULT_TRAINING,
        model: {
          width: 16,
          layers: 1,
          heads: 2,
          feedForward: 32,
          activation: 'gelu',
          mode: 'drop',
          frequencies: 8,
          frequencySigma: 0.1,
        },
        strategy: { name: 'uniform' },
        seed: 2,
        epochs: 6,
        batchSize: 32,
        learningRate: 0.01,
        workers: 1,
        resamples: 0,
      },
      quick: false,
      folder: state,
      onProgress: (it) => seen.push(it),
      onWarning: (warning) => expect(warning).toBeNull(),
      signal: new AbortController().signal,
    })
    expect(report.complaints).toEqual([])
    expect(report.comparison.maxAbsProbabilityDifference).toBeLessThan(1e-6)
    // Two partial ones, three modalities, their pairs (which are all but one), and all.
    expect(report.comparison.subsets.map((it) => it.name)).toEqual([
      'weather.warmth',
      'weather.warmth+weather.wind',
      'weather',
      'light',
      'place',
      'weather+light',
      'weather+place',
      'light+place',
      'all',
    ])
    expect([report.sites, report.labels]).toEqual([60, ['owl', 'fox']])
    const score = (name: string) => report.comparison.subsets.find((it) => it.name === name)!.edge
    expect(score('weather')).toBeGreaterThan(0.75)
    expect(score('weather')).toBeGreaterThan(score('light'))
    // Sites that lack what a subset shows send nothing.
    const { counts, sent, predictions } = report.station
    expect(counts).toMatchObject({ readings: sent.messages, rejected: 0, waiting: 0 })
    expect(counts.observations).toBeLessThan(60 * 9)
    expect(predictions).toHaveLength(counts.observations)
    expect(seen.at(-1)).toEqual({ kind: 'waiting', observations: 0 })
  },
)

const command = (args: readonly string[]) => {
  const child = spawn(process.execPath, [COMMAND, 'chain', ...args], {
    env: { ...childEnvironment(), TMPDIR: join(folder, 'tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const ended = once(child, 'close').then(([code]) => ({ code, output }))
  return { child, ended, output: () => output }
}

test('wrong use and wrong data are told', async () => {
  const check = async (args: readonly string[], code: number, text: string) => {
    const ended = await command(args).ended
    expect([ended.code, ended.output]).toEqual([code, expect.stringContaining(text)])
  }
  await mkdir(join(folder, 'tmp'), { recursive: true })
  await check(['--data', folder, '--epochs', '0'], 2, '--epochs')
  if (!hasBroker) return
  await check(['--data', folder], 1, 'neither dataset.json nor modalities.json')
  await check(['--data', join(folder, 'data'), '--partial', 'weather.snow'], 1, 'no token "weather.snow"')
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})

test.skipIf(!hasBroker)('an interrupt ends it and leaves nothing behind', async () => {
  await mkdir(join(folder, 'tmp'), { recursive: true })
  const run = command(['--data', join(folder, 'data'), '--epochs', '1000', '--workers', '1'])
  const until = async (text: string) => {
    while (!run.output().includes(text)) await once(run.child.stderr, 'data')
  }
  await until('epoch 1:')
  run.child.kill('SIGINT')
  expect((await run.ended).code).toBe(130)
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
})
