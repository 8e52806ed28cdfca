/**
 * The cloud as one process: takes in what stations send, trains when enough is new, publishes what is good, and asks
 * the cohort to run it. Everything that matters is on disk before anyone is told, so it may be killed at any time.
 */

import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { schedule } from '#shared/platform/cron.ts'
import type { Log } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { holdFile } from '#shared/platform/sqlite.ts'
import type { Clock } from '#shared/std/clock.ts'
import { ConfigError } from '#shared/std/config-error.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import type { ServiceConfig } from './config.ts'
import { startIngest, type Taken } from './ingest/ingest.ts'
import { startLearning } from './learning.ts'
import { ensureKeys } from './registry/keys.ts'
import { openRegistry } from './registry/registry.ts'
import { startRollout } from './rollout/rollout.ts'
import type { ServiceEvent } from './service-event.ts'
import { openStore } from './store/store.ts'

export type Service = AsyncDisposable & {
  /** Rejects when the service can't go on, because storing is broken; never resolves. */
  readonly broken: Promise<never>
}

export type ServiceOptions = {
  readonly config: ServiceConfig
  readonly emit: (event: ServiceEvent) => void
  readonly clock: Clock
  readonly log: Log
}

/**
 * Resolves when everything runs, whether or not the broker is there yet. Throws a ConfigError for a bad cron expression,
 * and when another service has the state folder.
 */
export const startService = async ({ config, emit, clock, log }: ServiceOptions): Promise<Service> => {
  const { stateFolder, family, cohort } = config
  await using stack = new AsyncDisposableStack()
  await mkdir(stateFolder, { recursive: true })
  stack.use(hold(stateFolder))
  const storeFile = join(stateFolder, 'cloud.db')
  const store = stack.use(openStore(storeFile))
  const keys = await ensureKeys(join(stateFolder, 'keys'))
  const registry = await openRegistry(join(stateFolder, 'registry'))
  const topics = cloudTopics(config.prefix)
  const link = stack.adopt(
    // A clean session: whoever sends to the cloud keeps what no receipt names, so no broker has to keep it as well.
    openMqttLink({ url: config.broker, clientId: `cloud-${randomBytes(6).toString('hex')}`, log }),
    (opened) => opened.close(),
  )
  const rollout = stack.use(
    await startRollout({
      link,
      topics,
      folder: join(stateFolder, 'desired'),
      director: keys.director,
      blobs: registry,
      log,
      watched: [{ cohort, family }],
    }),
  )
  // Closed after ingest and before the link: nothing is published on a closing link.
  const learning = stack.use(
    await startLearning({
      config,
      runsFolder: join(stateFolder, 'runs'),
      storeFile,
      labelledCount: store.labelledCount,
      traffic: () => store.traffic({ family, nowMs: clock.nowMs(), weeks: config.trafficWeeks }),
      registry,
      rollout,
      signer: keys.release,
      emit,
      clock,
      log,
    }),
  )
  if (config.cron !== null) stack.use(scheduleTraining(config.cron, config.zone, learning.strike))

  const onTaken = ({ newRows, newLabels, reports }: Taken): void => {
    if (newRows > 0 || newLabels > 0) emit({ kind: 'taken', rows: newRows, labels: newLabels })
    for (const { node, topic, state, detail, model, generation } of reports) {
      emit({ kind: 'report', node, topic, state, detail, model, generation })
    }
    // A label may come before its observation, so rows count as well.
    learning.wake()
  }
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {}) // whoever waits for it hears of it
  const onBroken = (cause: unknown): void => broken.reject(new Error('the store is broken', { cause }))
  stack.use(startIngest({ link, topics, takeIn: store.takeIn, clock, log, onTaken, onBroken }))

  const model = learning.model()
  emit({ kind: 'ready', trustFile: keys.trustFile, storeFile, family, cohort, model, labelled: store.labelledCount() })
  const links = link.connected$.subscribe((connected) => emit({ kind: 'link', connected }))
  stack.defer(() => links.unsubscribe())
  learning.wake()
  const opened = stack.move()
  return { broken: broken.promise, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Two services on one folder would train the same runs and hand out the same counters. */
const hold = (stateFolder: string): Disposable => {
  const held = holdFile(join(stateFolder, 'lock'))
  if (held !== null) return held
  throw new ConfigError(`--state: another service is running on ${stateFolder}`, 'stop it, or give this one a folder')
}

const scheduleTraining = (expression: string, zone: string, strike: () => void): Disposable => {
  try {
    return schedule(expression, zone, async () => strike())
  } catch (cause) {
    throw new ConfigError('--cron: no cron expression', 'for example "0 3 * * *", every night at three', { cause })
  }
}
