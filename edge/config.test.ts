import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError } from '#shared/std/config-error.ts'
import { readConfig } from './config.ts'

const KEY = 'ab'.repeat(32)
const TRUST = {
  schema: 'trust/1',
  roles: { release: { keys: [KEY], threshold: 1 }, director: { keys: [KEY], threshold: 1 } },
}
const LEAST = {
  schema: 'station/1',
  node: 'ridge',
  site: 'valley',
  family: 'birds',
  stateFolder: 'state',
  broker: 'mqtt://127.0.0.1:1883',
  trust: TRUST,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'))
  await writeFile(join(folder, 'trust.json'), JSON.stringify(TRUST))
})
afterAll(() => rm(folder, { recursive: true }))

const read = async (value: unknown) => {
  const file = join(folder, 'station.json')
  await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value))
  return readConfig(file)
}

test('defaults are written out, and paths start at the file', async () => {
  expect(await read({ ...LEAST, trust: 'trust.json' })).toEqual({
    ...LEAST,
    prefix: 'understory',
    cohort: 'all',
    stateFolder: join(folder, 'state'),
    cloud: null,
    trust: TRUST,
    sensors: [],
    acceptUnknownSensors: false,
    maxPayloadBytes: 1048576,
    rejectedBudgetBytes: 16777216,
    window: { ms: 3600000, allowedLatenessMs: 600000, time: 'wall' },
    inference: { threads: 1, provider: 'cpu', batch: 32 },
    logLevel: 'info',
  })
})

test('each mistake is a ConfigError that names its field', async () => {
  const check = (value: unknown, expected: RegExp) => expect(read(value)).rejects.toThrow(expected)
  await check('{', /station\.json is no JSON/)
  await check({ ...LEAST, node: 'Ridge 1' }, /node: must be/)
  await check({ ...LEAST, site: 'up' }, /site: is a reserved name/)
  await check({ ...LEAST, broker: 'localhost' }, /broker: must be like/)
  await check({ ...LEAST, colour: 'red' }, /colour/)
  await check({ ...LEAST, window: { ms: 0 } }, /window\.ms/)
  await check({ ...LEAST, trust: 'none.json' }, /trust: .*none\.json cannot be read/)
  await check({ ...LEAST, trust: { ...TRUST, roles: {} } }, /trust/)
  const sensor = { id: 'wx', modality: 'weather', deployment: 'd1' }
  await check({ ...LEAST, sensors: [sensor, sensor] }, /sensors: ids must be distinct/)
  await check({ ...LEAST, sensors: [{ ...sensor, ranges: { t: [5, 1] } }] }, /sensors\.0\.ranges\.t/)
  const frontEnd = { sampleRateHz: 16000, fftSize: 1000, hopSize: 100, bands: 8, lowHz: 0, highHz: 8000 }
  await check({ ...LEAST, sensors: [{ ...sensor, frontEnd }] }, /sensors\.0\.frontEnd: the FFT size is a power of two/)
  await expect(readConfig(join(folder, 'absent.json'))).rejects.toBeInstanceOf(ConfigError)
})
