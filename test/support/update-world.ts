/** A broker, a cloud with registry and rollout, and stations that update from it. Only the trial's verdict is given. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { ensureKeys } from '#cloud/registry/keys.ts'
import { openRegistry, type PublishedRelease } from '#cloud/registry/registry.ts'
import { startRollout } from '#cloud/rollout/rollout.ts'
import type { ActiveModel } from '#edge/update/active-model.ts'
import type { ModelState, UpdateReport } from '#edge/update/report.ts'
import type { TrialResult } from '#edge/update/run-step.ts'
import { UPDATE_SCHEMA_SQL } from '#edge/update/tables.ts'
import { startUpdater, type UpdaterOptions } from '#edge/update/updater.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { blobRequestSchema } from '#shared/wire/desired.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import { openCuttingProxy } from './cutting-proxy.ts'
import { EXAMPLE_DIGEST, type ExampleBundle } from './example-bundle.ts'

export const FAMILY = 'valley'
export const COHORT = 'all'

export const openUpdateWorld = async () => {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'update-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  const proxy = stack.adopt(await openCuttingProxy(broker.port), (opened) => opened.close())
  const topics = cloudTopics('us')
  const log = silentLog()
  const openLink = (clientId: string, port = broker.port) =>
    openMqttLink({ url: `mqtt://127.0.0.1:${port}`, clientId, log, jitter: () => 0.05 })

  const cloudLink = stack.adopt(openLink('cloud'), (link) => link.close())
  const keys = await ensureKeys(join(folder, 'keys'))
  const registry = await openRegistry(join(folder, 'registry'))
  const rollout = stack.use(
    await startRollout({
      link: cloudLink,
      topics,
      folder: join(folder, 'desired'),
      director: keys.director,
      blobs: registry,
      log,
      watched: [{ cohort: COHORT, family: FAMILY }],
    }),
  )
  /** Every unit that a station has asked for: "<object's first digits>:<unit>". */
  const asked: string[] = []
  cloudLink.deliveries$.subscribe(({ topic, payload }) => {
    if (!topic.endsWith('/blob')) return
    const { object, ranges } = blobRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()))
    for (const [first, last] of ranges)
      for (let unit = first; unit <= last; unit++) asked.push(`${object.slice(0, 8)}:${unit}`)
  })

  let bundles = 0
  const publish = async ({ manifest, model, vectors }: ExampleBundle): Promise<PublishedRelease> => {
    const bundleFolder = join(folder, `bundle-${++bundles}`)
    await mkdir(bundleFolder)
    await writeFile(join(bundleFolder, 'manifest.json'), manifest)
    await writeFile(join(bundleFolder, 'model.onnx'), model)
    await writeFile(join(bundleFolder, 'vectors.json'), vectors)
    return registry.publish({
      bundleFolder,
      family: FAMILY,
      signers: [keys.release],
      createdAtMs: Date.UTC(2026, 4, 14),
    })
  }
  const target = ({ document, releaseCounter }: PublishedRelease) =>
    rollout.target({ cohort: COHORT, family: FAMILY, release: document, releaseCounter })

  /** Starts (or starts again) the station of this name; its folder and database stay. */
  const startStation = async (
    name: string,
    options: Partial<UpdaterOptions> & { readonly verdict?: TrialResult } = {},
  ) => {
    const station = new AsyncDisposableStack()
    const stateFolder = join(folder, name)
    await mkdir(stateFolder, { recursive: true })
    const database = station.adopt(openDatabase(join(stateFolder, 'edge.db'), [UPDATE_SCHEMA_SQL]), (opened) => {
      opened.close()
    })
    const link = station.adopt(openLink(name, proxy.port), (opened) => opened.close())
    const activated: (ActiveModel | null)[] = []
    const reports: UpdateReport[] = []
    const modelStates: ModelState[] = []
    const updater = station.use(
      await startUpdater({
        database,
        folder: stateFolder,
        link,
        topics,
        trust: keys.trust,
        node: name,
        cohort: COHORT,
        family: FAMILY,
        runtimeVersion: '1.30.0',
        tokenizerDigest: () => EXAMPLE_DIGEST,
        trial: async () => options.verdict ?? { ok: true },
        onActivated: (model) => activated.push(model),
        onModelState: (state) => modelStates.push(state),
        report: (row) => reports.push(row),
        clock: systemClock,
        log,
        answersToConfirm: 2,
        silenceMs: 150,
        retryMs: 5,
        unitBytes: 4096,
        ...options,
      }),
    )
    const attemptIs = (kind: string, releaseCounter: number, limitMs = 20_000) =>
      vi.waitFor(
        () => {
          const { attempt } = updater.state()
          if (attempt?.kind !== kind || attempt.releaseCounter !== releaseCounter) {
            throw new Error(`waiting for ${kind} of ${releaseCounter}: ${JSON.stringify(attempt)}`)
          }
        },
        { timeout: limitMs, interval: 10 },
      )
    return {
      updater,
      database,
      stateFolder,
      activated,
      reports,
      modelStates,
      attemptIs,
      /** Waits for the trial of this release, and lets the model answer until it is confirmed. */
      confirm: async (releaseCounter: number) => {
        await attemptIs('trial', releaseCounter)
        await vi.waitFor(() => {
          const model = updater.model()
          if (model?.releaseCounter !== releaseCounter) throw new Error('not activated yet')
          updater.modelServed(model.version)
          if (updater.state().attempt?.kind !== 'confirmed') throw new Error('not confirmed yet')
        })
      },
      stop: () => station.disposeAsync(),
    }
  }

  return {
    folder,
    topics,
    keys,
    registry,
    rollout,
    proxy,
    asked,
    cloudLink,
    publish,
    target,
    startStation,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
