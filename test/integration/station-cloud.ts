/** The cloud's intake and rollout on one link, without training; the same in a test and in a process of its own. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startIngest } from '#cloud/ingest/ingest.ts'
import type { Keys } from '#cloud/registry/keys.ts'
import { openRegistry } from '#cloud/registry/registry.ts'
import { type Rollout, startRollout } from '#cloud/rollout/rollout.ts'
import { type CloudStore, openStore } from '#cloud/store/store.ts'
import type { Log } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { cloudTopics } from '#shared/wire/topics.ts'

export type StationCloud = AsyncDisposable & { readonly store: CloudStore; readonly rollout: Rollout }

export type StationCloudOptions = {
  readonly url: string
  readonly folder: string
  readonly registryFolder: string
  readonly director: Keys['director']
  readonly prefix: string
  readonly cohort: string
  readonly family: string
  readonly log: Log
  readonly onBroken: (cause: unknown) => void
}

export const openStationCloud = async (options: StationCloudOptions): Promise<StationCloud> => {
  const { url, folder, log, prefix, cohort, family } = options
  await using stack = new AsyncDisposableStack()
  await mkdir(folder, { recursive: true })
  const store = stack.use(openStore(join(folder, 'cloud.db')))
  const topics = cloudTopics(prefix)
  const registry = await openRegistry(options.registryFolder)
  const link = stack.adopt(
    openMqttLink({ url, clientId: 'cloud', log, cleanSession: false, jitter: () => 0.1 }),
    (opened) => opened.close(),
  )
  stack.use(startIngest({ link, topics, takeIn: store.takeIn, clock: systemClock, log, onBroken: options.onBroken }))
  const rollout = stack.use(
    await startRollout({
      link,
      topics,
      folder: join(folder, 'desired'),
      director: options.director,
      blobs: registry,
      log,
      watched: [{ cohort, family }],
    }),
  )
  const parts = stack.move()
  return { store, rollout, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}
