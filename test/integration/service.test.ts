import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { parseCommand } from '#cloud/command-line.ts'
import { SERVE_OPTIONS, serviceConfigOf } from '#cloud/config.ts'
import { openRuns, type Run } from '#cloud/run-record.ts'
import { startService } from '#cloud/service.ts'
import type { ServiceEvent } from '#cloud/service-event.ts'
import { judgeDesired, judgeManifest, judgeRelease } from '#edge/update/judge.ts'
import { trustSchema } from '#shared/bundle/keys.ts'
import type { DeploymentId, ReadingId, SensorId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { type EmbeddedBroker, openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { type MqttLink, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { randomStream } from '#shared/std/random.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import {
  envelope,
  HOUR_MS,
  labelMessage,
  observationRow,
  predictionRow,
  readingRow,
  reportRow,
} from '#test/support/station-rows.ts'

const topics = cloudTopics('us')
const TINY = ['--width', '8', '--layers', '1', '--heads', '2', '--epochs', '2', '--workers', '1', '--resamples', '20']
const SERVE = [
  '--prefix',
  'us',
  '--first-after-labels',
  '60',
  '--retrain-after-labels',
  '30',
  '--batch-size',
  '16',
  ...TINY,
]

let folder: string
let broker: EmbeddedBroker
let station: MqttLink
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'service-'))
  broker = await openEmbeddedBroker()
  station = openMqttLink({ url: broker.url, clientId: 'station', log: silentLog() })
})
afterEach(async () => {
  await station.close()
  await broker.close()
  rmSync(folder, { recursive: true, maxRetries: 3 })
})

/** A day of one deployment, hour by hour: warm hours have foxes, damp ones owls, not always. */
const dayOf = (day: number, firstSeq: number) => {
  const random = randomStream(day, 'day')
  const deployment = `d${day % 3}` as DeploymentId
  const hours = Array.from({ length: 12 }, (_, hour) => {
    const startMs = (day * 24 + hour) * HOUR_MS
    const seq = firstSeq + 3 * hour
    const [warm, damp] = [random.normal(), random.normal()]
    const present = [
      ...(warm + random.normal() / 2 > 0 ? ['fox'] : []),
      ...(damp + random.normal() / 2 > 0 ? ['owl'] : []),
    ]
    return {
      rows: [
        readingRow(seq, {
          deployment,
          observedAtMs: startMs + 1,
          content: { kind: 'scalars', values: { airTemperatureC: 10 + 5 * warm, humidity: 60 + 10 * damp } },
        }),
        readingRow(seq + 1, {
          id: `place${seq}` as ReadingId,
          sensor: 'gps' as SensorId,
          modality: 'location',
          deployment,
          observedAtMs: startMs + 2,
          content: { kind: 'location', latitude: 47 + (day % 3) / 10, longitude: 8, elevationM: 500 },
        }),
        observationRow(seq + 2, {
          id: `${deployment}/${startMs}`,
          deployment,
          startMs,
          endMs: startMs + HOUR_MS,
          final: true,
          readings: [`r${seq}`, `place${seq}`],
        }),
      ],
      label: labelMessage(
        `${deployment}/${startMs}`,
        `${deployment}/${startMs}`,
        present,
        ['fox', 'owl'].filter((taxon) => !present.includes(taxon)),
      ),
    }
  })
  return { rows: hours.flatMap(({ rows }) => rows), labels: hours.map(({ label }) => label) }
}

/** Labels are what it listens to last: once one of nothing has come through, nothing that follows is missed. */
const untilListening = (events: readonly ServiceEvent[], probe = 'probe'): Promise<void> =>
  vi.waitFor(
    async () => {
      await station.publish(topics.labels('survey'), labelMessage(probe, 'nowhere/0'))
      expect(events.some((event) => event.kind === 'taken' && event.labels > 0)).toBe(true)
    },
    { timeout: 20_000, interval: 50 },
  )

const send = async (from: number, to: number): Promise<void> => {
  for (let day = from; day < to; day++) {
    const { rows, labels } = dayOf(day, 1 + 36 * day)
    await station.publish(topics.up('n1', 'e1', 'data'), envelope(rows))
    for (const label of labels) await station.publish(topics.labels('survey'), label)
  }
}

/** The signed state that a station finds when it comes. */
const desiredState = async (): Promise<Uint8Array> => {
  const link = openMqttLink({ url: broker.url, clientId: 'newcomer', log: silentLog() })
  const payload = new Promise<Uint8Array>((resolve) => link.deliveries$.subscribe((it) => resolve(it.payload)))
  await link.listen([topics.desired('all', 'valley')])
  const found = await payload
  await link.close()
  return found
}

const startHere = async (args: readonly string[] = []) => {
  const parsed = parseCommand(['--broker', broker.url, '--state', folder, ...SERVE, ...args], SERVE_OPTIONS, [])
  if (parsed === 'help') throw new Error('no help wanted')
  const events: ServiceEvent[] = []
  const service = await startService({
    config: serviceConfigOf(parsed.values, true),
    emit: (event) => events.push(event),
    clock: systemClock,
    log: silentLog(),
  })
  const until = <K extends ServiceEvent['kind']>(kind: K, count = 1) =>
    vi.waitFor(
      () => {
        const found = events.filter((event) => event.kind === kind) as Extract<ServiceEvent, { kind: K }>[]
        if (found.length < count) throw new Error(`no ${kind} among ${JSON.stringify(events.slice(-5))}`)
        return found[count - 1]!
      },
      { timeout: 60_000, interval: 20 },
    )
  return { service, events, until }
}

const runs = (): Promise<readonly Run[]> => openRuns(join(folder, 'runs')).list()

test('labels become a model that stations accept, more labels a second one that goes on from it', async () => {
  const { service, events, until } = await startHere(['--tolerance', '1'])
  const ready = await until('ready')
  expect(ready).toMatchObject({ family: 'valley', cohort: 'all', model: null, labelled: 0 })
  await untilListening(events)
  await send(0, 6)
  await station.publish(topics.up('n1', 'e1', 'data'), envelope([reportRow(1000)]))
  expect(await until('report')).toMatchObject({ node: 'n1', topic: 'started', state: 'ready' })
  const published = await until('published')
  expect(published).toMatchObject({ run: 1, releaseCounter: 1 })
  expect(Object.keys(published.scores)).toEqual(['location', 'weather', 'all'])
  expect(await until('targeted')).toEqual({ kind: 'targeted', run: 1, cohort: 'all', generation: 1 })

  // As a station judges it: state, release, manifest.
  const trust = trustSchema.parse(JSON.parse(readFileSync(ready.trustFile, 'utf8')))
  const verdict = judgeDesired(await desiredState(), { trust, cohort: 'all', family: 'valley', seen: null })
  if (verdict.kind !== 'newer') throw new Error(JSON.stringify(verdict))
  const { release, releaseCounter } = verdict.desired
  const document = readFileSync(join(folder, 'registry', 'blobs', release.sha256))
  const context = {
    trust,
    family: 'valley',
    tenant: null,
    releaseCounter,
    runtimeVersion: '1.30.0',
    memoryBytes: 1 << 30,
  }
  const bundle = judgeRelease(release, document, context)
  if (!bundle.ok) throw new Error(bundle.error)
  expect(bundle.value.version).toBe(published.version)
  const manifest = judgeManifest(readFileSync(published.files.manifest), bundle.value, {
    family: 'valley',
    tokenizerDigest,
  })
  expect(manifest).toMatchObject({ ok: true, value: { labels: [{ name: 'fox' }, { name: 'owl' }], parent: null } })

  await send(6, 9)
  expect(await until('published', 2)).toMatchObject({ run: 2, releaseCounter: 2 })
  expect(await until('targeted', 2)).toMatchObject({ generation: 2 })
  await service[Symbol.asyncDispose]()

  const taken = events.filter((event) => event.kind === 'taken')
  expect(taken.reduce((sum, { rows }) => sum + rows, 0)).toBe(9 * 36 + 1)
  expect(taken.reduce((sum, { labels }) => sum + labels, 0)).toBe(9 * 12 + 1)
  expect(events.filter((event) => event.kind === 'training').map(({ run, epoch }) => [run, epoch])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 0],
    [2, 1],
    [2, 2],
  ])
  const [first, second] = await runs()
  expect(first?.outcome).toMatchObject({
    kind: 'trained',
    start: 'random',
    verdict: { kind: 'publish', comparison: null },
  })
  expect(second).toMatchObject({ parent: published.version, parentRun: 1, recipe: { seed: 2 } })
  expect(second?.outcome).toMatchObject({ start: 'parent', verdict: { comparison: { labels: ['fox', 'owl'] } } })
  const { createdAtMs, endedAtMs, outcome } = second!
  expect(endedAtMs! - createdAtMs).toBeGreaterThanOrEqual(1000 * outcome!.seconds)
  // New models are held to the first one if this one lost something against it.
  const isHeldToFirst = outcome?.kind === 'trained' && outcome.heldTo === 1
  const kept = (run: number): boolean => existsSync(join(folder, 'runs', `00000${run}`, 'bundle', 'model.onnx'))
  expect([kept(1), kept(2)]).toEqual([isHeldToFirst, true])

  const again = await startHere()
  expect(await again.until('ready')).toMatchObject({ labelled: 108 })
  expect((await again.until('ready')).model).toBe(events.findLast((event) => event.kind === 'published')?.version)
  await again.service[Symbol.asyncDispose]()
  expect(await runs()).toEqual([first, second])
}, 60_000)

test('data that teach nothing are told, and not tried again before there are more', async () => {
  const { service, events, until } = await startHere(['--minimum-positives', '70'])
  await untilListening(events)
  await send(0, 6)
  expect(await until('failed')).toMatchObject({ run: 1, code: 'too-few' })
  await service[Symbol.asyncDispose]()
  expect(await runs()).toMatchObject([{ state: { kind: 'failed' }, labelled: expect.any(Number) }])
  const again = await startHere()
  await again.until('ready')
  await again.service[Symbol.asyncDispose]()
  expect(await runs()).toHaveLength(1)
}, 60_000)

test('a model is published as what it was trained as, whatever the service is told after a crash', async () => {
  const first = await startHere()
  await untilListening(first.events)
  await send(0, 6)
  const { version } = await first.until('published')
  await first.until('targeted')
  await first.service[Symbol.asyncDispose]()
  const store = openRuns(join(folder, 'runs'))
  const [run] = await store.list()
  // As if it had been killed before it wrote down what it did.
  await store.write({ ...run!, state: { kind: 'accepted' } })
  const again = await startHere(['--family', 'meadow'])
  expect(await again.until('published')).toMatchObject({ run: 1, version })
  await again.until('targeted')
  await again.service[Symbol.asyncDispose]()
  expect(await runs()).toMatchObject([{ family: 'valley', state: { kind: 'published', version } }])
}, 60_000)

test('a run whose outcome or model was damaged is done again, told, and publishes the same model', async () => {
  // All that there is, so that a run that is done again finds the same data.
  const all = ['--first-after-labels', '72']
  const first = await startHere(all)
  await untilListening(first.events)
  await send(0, 6)
  const { version } = await first.until('published')
  await first.until('targeted')
  await first.service[Symbol.asyncDispose]()
  const store = openRuns(join(folder, 'runs'))
  const [run] = await store.list()
  const ofRun = store.folderOf(1)
  const outcome = join(ofRun, 'outcome.json')

  // As if it had been killed before it wrote down what became of the run, and the disk had lost a file since.
  await store.write({ ...run!, endedAtMs: null, outcome: null, state: { kind: 'running' } })
  truncateSync(outcome, 40)
  const second = await startHere(all)
  expect(await second.until('damaged')).toMatchObject({
    run: 1,
    file: outcome,
    detail: expect.stringContaining('JSON'),
  })
  expect(await second.until('published')).toMatchObject({ run: 1, version, releaseCounter: 1 })
  await second.until('targeted')
  await second.service[Symbol.asyncDispose]()
  expect(readFileSync(`${outcome}.damaged`)).toHaveLength(40)

  await store.write({ ...run!, state: { kind: 'accepted' } })
  for (const published of ['registry', 'desired']) rmSync(join(folder, published), { recursive: true })
  truncateSync(join(ofRun, 'bundle', 'model.onnx'), 40)
  const third = await startHere(all)
  expect(await third.until('damaged')).toMatchObject({ run: 1, file: join(ofRun, 'bundle') })
  expect(await third.until('published')).toMatchObject({ run: 1, version })
  await third.until('targeted')
  await third.service[Symbol.asyncDispose]()
  expect(await runs()).toMatchObject([{ failures: 1, state: { kind: 'published', version } }])

  writeFileSync(join(ofRun, 'run.json'), '{')
  await expect(startHere(all)).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('is no record of a run'),
  })
}, 60_000)

test('a model that is worse than the current one is refused, though its files were lost, and stations are not asked to run it', async () => {
  const first = await startHere(['--epochs', '15', '--learning-rate', '0.02', '--warmup-steps', '5'])
  await untilListening(first.events)
  const asked = Array.from({ length: 30 }, (_, i) => predictionRow(5000 + i, { location: 0, weather: 1 }))
  // Twice, as when a receipt was lost.
  for (const _ of [1, 2]) await station.publish(topics.up('n1', 'e1', 'data'), envelope(asked))
  await send(0, 6)
  await first.until('targeted')
  await first.service[Symbol.asyncDispose]()

  const ofFirst = join(folder, 'runs', '000001')
  rmSync(join(ofFirst, 'bundle', 'model.onnx'))
  writeFileSync(join(ofFirst, 'bundle', 'manifest.json'), '{')
  truncateSync(join(ofFirst, 'weights.bin'), 400)

  // Of another width, so from random weights, which hardly move.
  const second = await startHere(['--width', '16', '--epochs', '1', '--learning-rate', '0.000001'])
  await untilListening(second.events, 'second probe')
  await send(6, 9)
  expect(await second.until('refused')).toMatchObject({
    run: 2,
    reason: expect.stringContaining('more than 0.02 lower'),
    fell: expect.any(Array),
  })
  await second.service[Symbol.asyncDispose]()
  const [good, bad] = await runs()
  expect(good?.state.kind).toBe('published')
  expect(bad).toMatchObject({
    state: { kind: 'refused' },
    traffic: [{ modalities: ['weather'], predictions: 30 }],
    outcome: {
      start: 'random',
      verdict: { comparison: { judged: [{ subset: 'weather', predictions: 30 }] } },
      heldTo: 1,
      warnings: expect.arrayContaining([expect.stringContaining('run 1: its weights are missing or damaged')]),
    },
  })
  expect(second.events.filter(({ kind }) => kind === 'published' || kind === 'targeted')).toEqual([])
}, 60_000)

test('the clock trains on what is new, one run at a time', async () => {
  const first = await startHere(['--first-after-labels', '1000'])
  await untilListening(first.events)
  await send(0, 6)
  await vi.waitFor(
    () => {
      const labels = first.events.reduce((sum, event) => sum + (event.kind === 'taken' ? event.labels : 0), 0)
      expect(labels).toBe(73)
    },
    { timeout: 20_000 },
  )
  await first.service[Symbol.asyncDispose]()

  const everySecond = ['--cron', '* * * * * *', '--first-after-labels', '1000', '--retrain-after-labels', '1000']
  const second = await startHere([...everySecond, '--tolerance', '1'])
  await untilListening(second.events, 'second probe')
  await second.until('published')
  await send(6, 8)
  await vi.waitFor(
    async () => expect((await runs()).at(-1)).toMatchObject({ labelled: 96, state: { kind: 'published' } }),
    {
      timeout: 60_000,
      interval: 50,
    },
  )
  await second.service[Symbol.asyncDispose]()
  const told = second.events.filter((event) => event.kind === 'training').map(({ run, epoch }) => [run, epoch])
  const known = await runs()
  // Each from its beginning to its end, before the next one begins; none without a new label.
  expect(told).toEqual(known.flatMap(({ number }) => [0, 1, 2].map((epoch) => [number, epoch])))
  expect(new Set(known.map(({ labelled }) => labelled)).size).toBe(known.length)
  expect(known[0]).toMatchObject({ labelled: 72 })
}, 60_000)

/** The service as a process of its own, that can be killed. */
const spawnService = (args: readonly string[]) => {
  const command = join(import.meta.dirname, '../../scripts/understory.ts')
  const serve = [
    'trainer',
    'serve',
    '--broker',
    broker.url,
    '--state',
    folder,
    '--events',
    '--log-level',
    'warn',
    ...SERVE,
  ]
  const child: ChildProcess = spawn(process.execPath, [command, ...serve, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const events: ServiceEvent[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => events.push(JSON.parse(line)))
  const until = (condition: (event: ServiceEvent) => boolean) =>
    vi.waitFor(
      () => {
        const found = events.find(condition)
        if (found === undefined) throw new Error(`waiting; last ${JSON.stringify(events.slice(-3))}`)
        return found
      },
      { timeout: 60_000, interval: 5 },
    )
  return { child, exited, events, until }
}

test('killed while it trains and again while it publishes, it goes on where it was', async () => {
  const long = ['--epochs', '30']
  const first = spawnService(long)
  await untilListening(first.events)
  await send(0, 6)
  await first.until((event) => event.kind === 'training' && event.epoch >= 3)
  first.child.kill('SIGKILL')
  await first.exited

  const second = spawnService(long)
  const resumed = await second.until((event) => event.kind === 'training' && event.epoch > 0)
  expect(resumed).toMatchObject({ run: 1 })
  if (resumed.kind === 'training') expect(resumed.epoch).toBeGreaterThan(3)
  await second.until(({ kind }) => kind === 'published')
  second.child.kill('SIGKILL')
  await second.exited

  const third = spawnService(long)
  await third.until(({ kind }) => kind === 'ready')
  await vi.waitFor(
    async () => expect((await runs())[0]?.state).toMatchObject({ kind: 'published', releaseCounter: 1 }),
    {
      timeout: 20_000,
    },
  )
  third.child.kill('SIGTERM')
  expect(await third.exited).toEqual([0, null])
  expect(await runs()).toHaveLength(1)
}, 90_000)
