/** The cloud's part in the chain: signs a bundle, publishes it, and asks the one station to run it. */
import { join } from 'node:path'
import { ensureKeys } from '#cloud/registry/keys.ts'
import { openRegistry } from '#cloud/registry/registry.ts'
import { startRollout } from '#cloud/rollout/rollout.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import { COHORT, FAMILY, PREFIX } from './station-file.ts'

export type Cloud = AsyncDisposable & {
  readonly trustFile: string
  /** Resolves when the release is decided; the station installs it when it hears of it. */
  readonly publish: (bundleFolder: string, nowMs: number) => Promise<ModelVersion>
}

export const startCloud = async (folder: string, brokerUrl: string): Promise<Cloud> => {
  await using stack = new AsyncDisposableStack()
  const keys = await ensureKeys(join(folder, 'keys'))
  const registry = await openRegistry(join(folder, 'registry'))
  const log = silentLog()
  const link = stack.adopt(openMqttLink({ url: brokerUrl, clientId: 'chain-cloud', log }), (opened) => opened.close())
  const rollout = stack.use(
    await startRollout({
      link,
      topics: cloudTopics(PREFIX),
      folder: join(folder, 'desired'),
      director: keys.director,
      blobs: registry,
      log,
      watched: [{ cohort: COHORT, family: FAMILY }],
    }),
  )
  const parts = stack.move()
  return {
    trustFile: keys.trustFile,
    publish: async (bundleFolder, nowMs) => {
      const { document, releaseCounter, version } = await registry.publish({
        bundleFolder,
        family: FAMILY,
        signers: [keys.release],
        createdAtMs: nowMs,
      })
      await rollout.target({ cohort: COHORT, family: FAMILY, release: document, releaseCounter })
      return version
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
