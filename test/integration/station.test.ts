import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type StationEvent, startStation } from '#edge/station.ts'
import { readStatus } from '#edge/status.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { type EventMessage, eventSchema } from '#shared/wire/event.ts'
import { modelStateSchema, statusSchema } from '#shared/wire/status.ts'
import { stationTopics } from '#shared/wire/topics.ts'
import { runSensors } from '#test/simulator/sensors.ts'
import { createValley, SITE, type Valley } from '#test/simulator/valley.ts'
import { hasMosquitto } from '#test/support/mosquitto.ts'
import { auditStation } from './station-audit.ts'
import { openStationCloud } from './station-cloud.ts'
import { COHORT, FAMILY, openStationWorld, PREFIX, type StationWorld } from './station-world.ts'

const log = silentLog()
const SEED = 20261124

describe.skipIf(!hasMosquitto())('a station between mosquitto and the cloud', () => {
  let world: StationWorld
  beforeAll(async () => {
    world = await openStationWorld()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const openCloud = (name: string, prefix = PREFIX) =>
    openStationCloud({
      url: world.mosquitto.url,
      folder: join(world.folder, name),
      registryFolder: world.registryFolder,
      director: world.keys.director,
      prefix,
      cohort: COHORT,
      family: FAMILY,
      log,
      onBroken: (cause) => {
        throw cause
      },
    })

  const play = (valley: Valley, fromHour: number, hours: number) =>
    runSensors({
      valley,
      span: { fromHour, hours },
      virtualHoursPerSecond: Number.POSITIVE_INFINITY,
      openStationLink: () =>
        openMqttLink({ url: world.mosquitto.url, clientId: `sensors-${valley.prefix}`, log, maxPacketBytes: 1 << 20 }),
      resendAfterMs: 2000,
      mostKept: 64,
    })

  /** Everything that is published below the station's topics. */
  const listen = async (node: string, prefix = PREFIX) => {
    const topics = stationTopics(prefix, SITE, node)
    const link = openMqttLink({ url: world.mosquitto.url, clientId: `watcher-${node}`, log })
    const events: EventMessage[] = []
    const retained = new Map<string, unknown>()
    link.deliveries$.subscribe(({ topic, payload, ack }) => {
      const json = JSON.parse(Buffer.from(payload).toString())
      if (topic === topics.event) events.push(eventSchema.parse(json))
      else retained.set(topic, json)
      ack()
    })
    await link.listen([topics.event, topics.status, topics.modelState])
    return {
      events,
      status: () => statusSchema.parse(retained.get(topics.status)),
      modelState: () => modelStateSchema.parse(retained.get(topics.modelState)),
      [Symbol.asyncDispose]: () => link.close(),
    }
  }

  test('what sensors say is stored, observed, predicted, told and in the cloud, once', async () => {
    const faults = { broken: 0.15, duplicate: 0.2 }
    const valley = await createValley({ seed: SEED, stations: 1, prefix: PREFIX, faults })
    const [place] = valley.stations
    const { config } = await world.configure(place!)
    await using cloud = await openCloud('cloud')
    const first = await world.publish(1)
    await cloud.rollout.target({
      cohort: COHORT,
      family: FAMILY,
      release: first.document,
      releaseCounter: first.releaseCounter,
    })
    await using watcher = await listen(place!.node)
    const happened: StationEvent[] = []
    const broken: unknown[] = []
    const station = await startStation(config, {
      log,
      onEvent: (event) => happened.push(event),
      onBroken: (cause) => broken.push(cause),
      jitter: () => 0.1,
    })
    const summary = await play(valley, 0, 12)
    expect(summary).toMatchObject({ isComplete: true })
    await vi.waitFor(() => expect(watcher.modelState()).toMatchObject({ installed: first.version }), {
      timeout: 20_000,
    })

    // The second model predicts what comes from now on; what the first one said stays.
    const second = await world.publish(2)
    await cloud.rollout.target({
      cohort: COHORT,
      family: FAMILY,
      release: second.document,
      releaseCounter: second.releaseCounter,
    })
    await vi.waitFor(() => expect(watcher.status().model).toBe(second.version), { timeout: 20_000 })
    const more = await play(valley, 12, 12)
    expect(more).toMatchObject({ isComplete: true })

    const status = await vi.waitFor(
      async () => {
        const now = await readStatus(config, Date.now())
        expect(now).toMatchObject({ pending: 0, outbox: { rows: 0 } })
        return now!
      },
      { timeout: 20_000 },
    )
    const total = (key: 'valid' | 'repeats' | 'observations') => summary.expected[key] + more.expected[key]
    expect(status.readings).toBe(total('valid'))
    expect(status.duplicates).toBeGreaterThanOrEqual(total('repeats'))
    expect(status.observations).toBe(total('observations'))
    const reasons = [summary, more].flatMap(({ expected }) => Object.entries(expected.rejected))
    const rejected: Record<string, number> = {}
    for (const [reason, count] of reasons) rejected[reason] = (rejected[reason] ?? 0) + count
    expect(status.rejected).toEqual(rejected)
    expect(Object.keys(rejected).length).toBeGreaterThan(2)

    const audit = auditStation(place!.node, config.stateFolder, join(world.folder, 'cloud', 'cloud.db'))
    expect(audit).toEqual({ held: audit.held, missing: [], surplus: [] })
    const models = new Set(happened.flatMap((event) => (event.kind === 'prediction' ? [event.model] : [])))
    expect([...models].sort()).toEqual([first.version, second.version].sort())
    expect(status.model).toMatchObject({ active: second.version, previous: first.version })
    expect(status.bytesUp).toBeGreaterThan(10_000)

    await vi.waitFor(() => {
      const newest = new Map(watcher.events.map((event) => [event.event, event]))
      expect(newest.size).toBe(status.observations)
      for (const event of newest.values()) expect(event.model).not.toBeNull()
    })
    for (const [, events] of Map.groupBy(watcher.events, ({ event }) => event)) {
      expect(events[0]!.type).toBe('new')
      expect(events.filter(({ type }) => type === 'new')).toHaveLength(1)
      expect(events.map(({ rev }) => rev)).toEqual(events.map(({ rev }) => rev).sort((a, b) => a - b))
    }
    expect(new Set(watcher.events.map(({ id }) => id)).size).toBeGreaterThanOrEqual(status.observations)
    expect(watcher.events.some(({ type }) => type === 'end')).toBe(true)
    expect(broken).toEqual([])
    await station[Symbol.asyncDispose]()
    await vi.waitFor(() => expect(watcher.status()).toMatchObject({ state: 'stopped', boot: 1 }))
  })

  test('without model and cloud it stores and tells; what waited goes up when there is a cloud', async () => {
    const prefix = 'alone'
    const valley = await createValley({ seed: SEED + 1, stations: 1, prefix })
    const [place] = valley.stations
    const stateFolder = join(world.folder, 'alone')
    const alone = await world.configure(place!, { prefix, stateFolder, cloud: null })
    await using watcher = await listen(place!.node, prefix)
    const options = { log, onBroken: () => {}, jitter: () => 0.1 }
    {
      await using _ = await startStation(alone.config, options)
      expect(await play(valley, 0, 6)).toMatchObject({ isComplete: true })
      await vi.waitFor(() => expect(new Set(watcher.events.map(({ event }) => event)).size).toBe(6))
    }
    const before = await readStatus(alone.config, Date.now())
    expect(before).toMatchObject({ boot: 1, observations: 6, pending: 6, predictions: 0, model: { active: null } })
    for (const event of watcher.events) expect(event).toMatchObject({ model: null, labels: [] })

    const { config } = await world.configure(place!, { prefix, stateFolder })
    await using cloud = await openCloud('late-cloud', prefix)
    await using _ = await startStation(config, options)
    await vi.waitFor(
      async () => expect(await readStatus(config, Date.now())).toMatchObject({ boot: 2, outbox: { rows: 0 } }),
      { timeout: 20_000 },
    )
    expect(cloud.store.counts().rows).toBe(before!.outbox.rows + 1)
  })
})
