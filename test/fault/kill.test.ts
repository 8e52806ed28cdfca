/**
 * kill -9 of the station, its broker and the cloud at random moments, while sensors send: in the end every valid
 * reading, every revision and every prediction is in the cloud exactly once, and every broken message was counted once.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { databaseFile } from '#edge/database.ts'
import { readStatus } from '#edge/status.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { openReadOnly } from '#shared/platform/sqlite.ts'
import { randomStream } from '#shared/std/random.ts'
import { REASON_OF } from '#test/simulator/faults.ts'
import { runSensors } from '#test/simulator/sensors.ts'
import { createValley, type PlannedMessage, type StationHour } from '#test/simulator/valley.ts'
import { auditStation } from '../integration/station-audit.ts'
import { openStationCloud } from '../integration/station-cloud.ts'
import { COHORT, FAMILY, openStationWorld, PREFIX } from '../integration/station-world.ts'
import { hasMosquitto } from '../support/mosquitto.ts'

const SEED = Number(process.env.KILL_SEED ?? 20261124)
const KILLS = Number(process.env.KILLS ?? 36)
const COMMAND = fileURLToPath(new URL('../../scripts/understory.ts', import.meta.url))
const CLOUD = fileURLToPath(new URL('kill-cloud-child.ts', import.meta.url))
const log = silentLog()
/** Played after the last kill. */
const HOURS_AFTER = 6

/** A process that can be killed and started again; the channel takes it along when this one ends. */
const openVictim = (args: readonly string[]) => {
  let child: ChildProcess | null = null
  const start = () => {
    child = spawn(process.execPath, [...args], {
      env: childEnvironment(),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
  }
  const kill = async () => {
    const dying = child
    child = null
    if (dying === null || dying.exitCode !== null || dying.signalCode !== null) return
    const gone = once(dying, 'exit')
    dying.kill('SIGKILL')
    await gone
  }
  start()
  return { start: async () => start(), kill, [Symbol.asyncDispose]: kill }
}

/** What the station must say of each broken message that was ever sent. */
const rejectionsOf = (
  hours: readonly StationHour[],
): ReadonlyMap<string, { message: PlannedMessage; reason: string }> =>
  new Map(
    hours.flatMap(({ messages }) =>
      messages.flatMap((message) =>
        message.fate.kind === 'broken'
          ? [
              [
                rejectionKey(message.topic, message.payload),
                { message, reason: REASON_OF[message.fate.breakage] },
              ] as const,
            ]
          : [],
      ),
    ),
  )

const KEPT_BYTES = 65_536
const rejectionKey = (topic: string, payload: Uint8Array) =>
  `${topic} ${Buffer.from(payload.subarray(0, KEPT_BYTES)).toString('base64')}`

const keptRejections = (stateFolder: string): readonly { readonly key: string; readonly reason: string }[] => {
  const database = openReadOnly(databaseFile(stateFolder))
  try {
    return database
      .prepare<[], { topic: string; payload: Buffer; reason: string }>('SELECT topic, payload, reason FROM rejected')
      .all()
      .map(({ topic, payload, reason }) => ({ key: rejectionKey(topic, payload), reason }))
  } finally {
    database.close()
  }
}

test.skipIf(!hasMosquitto())(`${KILLS} kills (seed ${SEED})`, { timeout: 240_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await openStationWorld())
  const { mosquitto } = world
  const valley = await createValley({
    seed: SEED,
    stations: 1,
    prefix: PREFIX,
    faults: { broken: 0.1, duplicate: 0.1 },
  })
  const place = valley.stations[0]!
  const { file, config } = await world.configure(place)
  const status = async () => (await readStatus(config, Date.now()))!

  // The first model is rolled out before the trouble begins.
  const cloudOptions = {
    url: mosquitto.url,
    folder: join(world.folder, 'cloud'),
    registryFolder: world.registryFolder,
    prefix: PREFIX,
    cohort: COHORT,
    family: FAMILY,
  }
  const release = await world.publish(1)
  {
    await using cloud = await openStationCloud({
      ...cloudOptions,
      director: world.keys.director,
      log,
      onBroken: () => {},
    })
    await cloud.rollout.target({
      cohort: COHORT,
      family: FAMILY,
      release: release.document,
      releaseCounter: release.releaseCounter,
    })
  }
  const cloud = stack.use(
    openVictim([CLOUD, JSON.stringify({ ...cloudOptions, keysFolder: join(world.folder, 'keys') })]),
  )
  const edge = stack.use(openVictim([COMMAND, 'edge', 'run', '--config', file]))
  await vi.waitFor(async () => expect((await status()).model.slot).toBe('good'), { timeout: 30_000, interval: 100 })

  const victims = { edge, cloud, broker: mosquitto }
  const killed = { edge: 0, cloud: 0, broker: 0 }
  const random = randomStream(SEED, 'kills')
  const total = () => killed.edge + killed.cloud + killed.broker
  // The moments are what is tested: during starts, commits, publications and while nothing happens. What a broker has
  // acknowledged and not delivered dies with it, so often two or all three are down together.
  const killAll = async () => {
    while (total() < KILLS) {
      await sleep(100 + 1200 * random.uniform())
      const names = random.shuffle(Object.keys(victims) as (keyof typeof victims)[])
      const down = names.slice(0, [1, 1, 2, 2, 3][random.index(5)])
      for (const name of down) {
        await victims[name].kill()
        killed[name]++
        await sleep(600 * random.uniform())
      }
      for (const name of random.shuffle(down)) await victims[name].start()
    }
  }
  const openSensorLink = () =>
    openMqttLink({ url: mosquitto.url, clientId: 'sensors', log, maxPacketBytes: 1 << 20, jitter: () => 0.2 })
  const hours: StationHour[] = []
  let endHour = Number.POSITIVE_INFINITY
  const killing = killAll().finally(() => {
    endHour = hours.length + HOURS_AFTER
  })
  const span = {
    fromHour: 0,
    get hours() {
      return endHour
    },
  }
  const summary = await runSensors({
    valley,
    span,
    virtualHoursPerSecond: 6,
    openStationLink: openSensorLink,
    resendAfterMs: 1000,
    onHour: (played) => hours.push(...played),
  })
  await killing
  expect(summary).toMatchObject({ isComplete: true })

  // A broker that is killed forgets what it has acknowledged; nobody confirms broken messages, so those are sent again.
  const broken = rejectionsOf(hours)
  const link = stack.adopt(openSensorLink(), (opened) => opened.close())
  await vi.waitFor(() => expect(link.isConnected()).toBe(true))
  const absent = () => {
    const kept = new Set(keptRejections(config.stateFolder).map(({ key }) => key))
    return [...broken].filter(([key]) => !kept.has(key))
  }
  await vi.waitFor(
    async () => {
      for (const [, { message }] of absent()) await link.publish(message.topic, message.payload)
      await sleep(500)
      expect(absent()).toEqual([])
    },
    { timeout: 20_000 },
  )
  const last = await vi.waitFor(
    async () => {
      const now = await status()
      expect(now).toMatchObject({ pending: 0, outbox: { rows: 0 } })
      return now
    },
    { timeout: 60_000, interval: 200 },
  )

  expect(last.readings).toBe(summary.expected.valid)
  expect(last.observations).toBe(summary.expected.observations)
  expect(last.model.active).toBe(release.version)
  const kept = keptRejections(config.stateFolder)
  for (const { key, reason } of kept) expect(broken.get(key)?.reason).toBe(reason)
  expect(Object.values(last.rejected).reduce((sum, count) => sum + count, 0)).toBe(kept.length)
  const audit = auditStation(place.node, config.stateFolder, join(cloudOptions.folder, 'cloud.db'))
  expect(audit).toEqual({ held: audit.held, missing: [], surplus: [] })
  expect(last.predictions).toBeGreaterThan(0)

  const { readings: sent } = summary
  console.log(
    `seed ${SEED}: killed ${JSON.stringify(killed)}; ${audit.held} facts of ${last.readings} readings, ` +
      `${last.revisions} revisions and ${last.predictions} predictions in the cloud, none missing, none twice; suppressed: ` +
      `${last.duplicates} readings of ${sent.published} messages (${sent.resent} sent again), ` +
      `${cloudCounter(cloudOptions.folder, 'rows-repeated')} rows, ${last.rejectedRepeated} broken messages`,
  )
})

const cloudCounter = (folder: string, name: string): number => {
  const database = openReadOnly(join(folder, 'cloud.db'))
  try {
    return database.prepare<[string], number>('SELECT value FROM counter WHERE name = ?').pluck().get(name) ?? 0
  } finally {
    database.close()
  }
}
