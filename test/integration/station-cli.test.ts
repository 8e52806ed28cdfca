import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StationFile } from '#edge/config.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'

const COMMAND = fileURLToPath(new URL('../../scripts/understory.ts', import.meta.url))
const KEY = 'ab'.repeat(32)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'station-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

const writeConfig = async (broker: string, changes: object = {}): Promise<string> => {
  const role = { keys: [KEY], threshold: 1 }
  const value: StationFile = {
    schema: 'station/1',
    node: 'ridge',
    site: 'valley',
    family: 'birds',
    stateFolder: 'state',
    broker,
    trust: { schema: 'trust/1', roles: { release: role, director: role } },
    sensors: [{ id: 'weather', modality: 'weather', deployment: 'd1' }],
  }
  const file = join(folder, 'station.json')
  await writeFile(file, JSON.stringify({ ...value, ...changes }))
  return file
}

const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [COMMAND, 'edge', ...args], { env: childEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })

const run = async (...args: string[]) => {
  const child = start(...args)
  const output = { out: '', err: '' }
  child.stdout!.on('data', (text) => {
    output.out += text
  })
  child.stderr!.on('data', (text) => {
    output.err += text
  })
  const [code] = await once(child, 'close')
  return { code, ...output }
}

test('wrong use ends with 2, a wrong configuration with 78 and the field, help with 0', async () => {
  const file = await writeConfig('mqtt://127.0.0.1:1', { window: { ms: 0 } })
  const [help, nothing, word, flag, config] = await Promise.all([
    run('--help'),
    run(),
    run('fly', '--config', file),
    run('run', '--colour'),
    run('status', '--config', file),
  ])
  expect([help!.code, nothing!.code, word!.code, flag!.code, config!.code]).toEqual([0, 2, 2, 2, 78])
  expect(help!.out).toContain('edge doctor --config FILE')
  expect(word!.err).toContain('there is no command "fly"')
  expect(config!.err).toContain('window.ms')
})

test('doctor says what is wrong and what to do, run tells what happens, status shows it beside the running station', async () => {
  const broker = await openEmbeddedBroker()
  const file = await writeConfig(broker.url)
  expect(await run('status', '--config', file)).toMatchObject({
    code: 1,
    err: expect.stringContaining('holds no station yet'),
  })

  const station = start('run', '--config', file, '--events')
  const lines = createInterface({ input: station.stdout! })[Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await lines.next()
    if (done) throw new Error('the station has ended')
    if (JSON.parse(value).kind === 'ready') break
  }
  const [status, doctor, second] = await Promise.all([
    run('status', '--config', file, '--json'),
    run('doctor', '--config', file, '--json'),
    run('run', '--config', file),
  ])
  expect(second.code).toBe(1)
  expect(second.err).toMatch(/another station is running on .*state\nstop the other station/)
  expect(JSON.parse(status.out)).toMatchObject({ node: 'ridge', boot: 1, readings: 0, outbox: { rows: 1 } })
  expect(doctor.code).toBe(0)
  const names = JSON.parse(doctor.out).checks.map(({ name, verdict }: Record<string, string>) => `${name} ${verdict}`)
  expect(names).toEqual(
    expect.arrayContaining([
      'node ok',
      'sqlite ok',
      'onnxruntime ok',
      'database ok',
      'clock ok',
      'broker ok',
      'cloud ok',
    ]),
  )
  station.kill('SIGTERM')
  expect(await once(station, 'exit')).toEqual([0, null])

  await broker.close()
  const without = await run('doctor', '--config', file)
  expect(without.code).toBe(1)
  expect(without.out).toMatch(/fail +broker.*\n +start the broker/)
  expect((await run('status', '--config', file)).out).toMatch(/station +ridge/)

  // A card that lost the end of the file.
  await truncate(join(folder, 'state', 'edge.db'), 5000)
  const damaged = await Promise.all([run('run', '--config', file), run('status', '--config', file)])
  for (const { code, err } of damaged) {
    expect(code).toBe(1)
    expect(err).toMatch(/edge\.db is no intact database .*malformed\)\nkeep a copy of it/)
  }
})
