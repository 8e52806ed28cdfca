/**
 * The shell of the update machine: it listens for desired states, runs one planned step after another, saves
 * what came of each in one transaction together with its report, and tells the station when its model changes.
 */
import { totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { filter } from 'rxjs'
import type { Trust } from '#shared/bundle/keys.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { Log } from '#shared/platform/log.ts'
import type { Delivery, MqttLink } from '#shared/platform/mqtt-link.ts'
import { installedRuntimeVersion } from '#shared/platform/ort-version.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import type { Clock } from '#shared/std/clock.ts'
import type { cloudTopics } from '#shared/wire/topics.ts'
import { type ActiveModel, readBundle } from './active-model.ts'
import { downloadObject } from './download.ts'
import { judgeDesired } from './judge.ts'
import { openObjectFolder } from './objects.ts'
import { planUpdate, type UpdateStep } from './plan.ts'
import { reduce, type UpdateEvent } from './reduce.ts'
import { type ModelState, modelStateOf, reportOf, type UpdateReport } from './report.ts'
import { type ActiveStep, runStep, type Tools, type Trial } from './run-step.ts'
import { activeOf, keptBundles, previousOf, type UpdateState } from './state.ts'
import { loadState, saveState } from './tables.ts'

export type UpdaterOptions = {
  /** The station's database, with UPDATE_SCHEMA_SQL among its migrations. */
  readonly database: Database
  /** The station's state folder; models lie in `models` below it. */
  readonly folder: string
  /** The link to the cloud; null for a station that has none and only runs what it holds. */
  readonly link: MqttLink | null
  readonly topics: ReturnType<typeof cloudTopics>
  readonly trust: Trust
  readonly node: string
  readonly cohort: string
  readonly family: string
  readonly tenant?: string | null
  /** ONNX Runtime of the inference child; that of this installation when absent. */
  readonly runtimeVersion?: string
  readonly tokenizerDigest: (specs: readonly ModalitySpec[]) => string
  readonly trial: Trial
  /**
   * The active model has changed; null: none is left. Not called for the model at the start, which is
   * `updater.model`. What the new one does is told by `modelServed` and `modelFailed`.
   */
  readonly onActivated: (model: ActiveModel | null) => void
  readonly onModelState?: (state: ModelState) => void
  /** Called within the transaction that makes the report true; it writes the row through the same database. */
  readonly report: (row: UpdateReport) => void
  readonly clock: Clock
  readonly log: Log
  /** Answers after which a new model is kept. */
  readonly answersToConfirm?: number
  /** Bytes of a unit of download; 4096 where links break often. */
  readonly unitBytes?: number
  readonly silenceMs?: number
  /** First pause after trouble with disk or link; doubles up to ten minutes. */
  readonly retryMs?: number
}

export type Updater = AsyncDisposable & {
  /** What to load now: the active model of this start, later the latest one activated. */
  readonly model: () => ActiveModel | null
  readonly state: () => UpdateState
  /** The inference process has answered with this model. */
  readonly modelServed: (version: ModelVersion) => void
  /** The inference process could not load or keep running this model. On trial, that goes back at once. */
  readonly modelFailed: (version: ModelVersion, reason: string) => void
}

const LONGEST_RETRY_MS = 600_000

/** Resolves when the slots have been checked and this start is counted; only then may a model be loaded. */
export const startUpdater = async (options: UpdaterOptions): Promise<Updater> => {
  const { database, link, topics, node, cohort, family, clock, log, unitBytes = 16384 } = options
  const key = { family, cohort }
  const objects = await openObjectFolder(database, options.folder)
  const stopping = new AbortController()
  let state = loadState(database, key)
  let model: ActiveModel | null = null
  let isStarted = false
  let answers = 0
  /** Share of the present file that is safe on disk. */
  let progress = 0
  /** The release that the station was last told of. */
  let followed: string | undefined
  let lastRefused: string | null = null
  let stepping: { readonly step: UpdateStep; readonly abort: AbortController } | null = null
  let wake = Promise.withResolvers<void>()

  const publishState = () => options.onModelState?.(modelStateOf(state, progress))

  /** The one way to change the state: reduced, saved with its report, then told. */
  const apply = (event: UpdateEvent): void => {
    const next = reduce(state, event)
    const report = reportOf(state, next, event, clock.nowMs())
    saveState(database, key, next, () => {
      if (report !== null) options.report(report)
    })
    state = next
    if (event.kind === 'begun') progress = 0
    if (report !== null) log.info({ state: report.state, detail: report.detail, model: report.model }, 'model update')
    publishState()
    wake.resolve()
  }

  /** The model of the first slot whose files are whole; a damaged slot is given up. */
  const wholeModel = async (): Promise<ActiveModel | null> => {
    for (let slot = state.slot; slot.kind !== 'empty'; slot = state.slot) {
      const found = await readBundle(objects, slot.active)
      if (state.slot !== slot) continue // a verdict came while the files were read
      if (found !== null) {
        followed = slot.active.release
        return found
      }
      const previous = previousOf(slot)
      const isPreviousIntact = previous !== null && (await readBundle(objects, previous)) !== null
      apply({ kind: 'slotBroken', isPreviousIntact })
    }
    followed = undefined
    return null
  }

  /** Follows the slot after a step: the station hears of another model only once it is committed. */
  const followSlot = async (): Promise<void> => {
    if (activeOf(state.slot)?.release === followed) return
    answers = 0
    model = await wholeModel()
    if (isStarted) options.onActivated(model)
  }

  const collect = () => {
    const files = keptBundles(state).flatMap(({ manifest, model, vectors }) => [manifest, model, vectors])
    return objects.keepOnly(state.attempt?.kind === 'resolving' ? [...files, state.attempt.release] : files)
  }

  const boot = async (): Promise<void> => {
    apply({ kind: 'booted' })
    const plan = planUpdate(state)
    if (plan.kind === 'goBack') apply({ kind: 'begun', step: plan })
    await followSlot()
    await collect()
  }

  /** Verdicts and desired states come from outside the loop; when the disk refuses them, they come again. */
  const applySafely = (act: () => void): void => {
    try {
      act()
    } catch (cause) {
      log.error({ cause: String(cause) }, 'an update event could not be saved')
    }
  }

  const onDesired = ({ payload, ack }: Delivery): void => {
    const verdict = judgeDesired(payload, { trust: options.trust, cohort, family, seen: state.desired })
    if (verdict.kind === 'newer') {
      apply({ kind: 'desired', desired: verdict.desired })
      if (stepping !== null && stepping.step.kind !== 'activate') stepping.abort.abort()
    } else if (verdict.kind === 'refused' && verdict.reason !== lastRefused) {
      // A retained message comes again with each connection; saying so once is enough.
      lastRefused = verdict.reason
      log.warn({ reason: verdict.reason }, 'desired state refused')
      options.report({
        kind: 'report',
        atMs: clock.nowMs(),
        topic: 'update',
        state: 'refused',
        detail: verdict.reason,
        model: null,
        generation: verdict.generation,
      })
    }
    ack()
  }

  const makeTools = (cloud: MqttLink): Tools => ({
    ...options,
    tenant: options.tenant ?? null,
    runtimeVersion: options.runtimeVersion ?? installedRuntimeVersion(),
    memoryBytes: totalmem(),
    objects,
    download: (object, signal) =>
      downloadObject(
        object,
        {
          link: cloud,
          requestTopic: topics.blobRequest(node),
          responseTopic: topics.blobResponse(node),
          objects,
          clock,
          unitBytes,
          silenceMs: options.silenceMs ?? 2000,
          onProgress: ({ length }, missingUnits) => {
            progress = 1 - Math.min(1, (missingUnits * unitBytes) / length)
            apply({ kind: 'progressed' })
          },
        },
        signal,
      ),
  })

  /** Null: aborted, by a newer desired state or by the end. */
  const attemptStep = async (step: ActiveStep, tools: Tools): Promise<UpdateEvent | null> => {
    const abort = new AbortController()
    stepping = { step, abort }
    const signal = AbortSignal.any([abort.signal, stopping.signal])
    try {
      const event = await runStep(step, tools, signal)
      return signal.aborted ? null : event
    } catch (cause) {
      if (signal.aborted) return null
      throw cause
    } finally {
      stepping = null
    }
  }

  /** One turn of the loop. False: there was trouble, which may pass. */
  const turn = async (tools: Tools): Promise<boolean> => {
    await followSlot()
    const step = planUpdate(state)
    if (step.kind === 'wait') {
      await collect()
      await wake.promise
      return true
    }
    apply({ kind: 'begun', step })
    if (step.kind === 'begin' || step.kind === 'reject' || step.kind === 'goBack') return true
    const event = await attemptStep(step, tools)
    if (event === null) return true
    apply(event)
    return event.kind !== 'corrupt'
  }

  const run = async (tools: Tools): Promise<void> => {
    let troubles = 0
    while (!stopping.signal.aborted) {
      wake = Promise.withResolvers<void>()
      const isFine = await turn(tools).catch((cause: unknown) => {
        log.warn({ cause: String(cause) }, 'update step will be repeated')
        return false
      })
      troubles = isFine ? 0 : troubles + 1
      if (troubles > 0) await pause(Math.min(LONGEST_RETRY_MS, (options.retryMs ?? 1000) * 2 ** (troubles - 1)))
    }
  }

  /** Ends early when something new is known. */
  const pause = async (durationMs: number): Promise<void> => {
    wake = Promise.withResolvers<void>()
    await Promise.race([wake.promise, sleep(durationMs, undefined, { ref: false })])
  }

  await boot()
  isStarted = true
  const subscription = link?.deliveries$
    .pipe(filter(({ topic }) => topic === topics.desired(cohort, family)))
    .subscribe((delivery) => applySafely(() => onDesired(delivery)))
  const running = link === null ? followOnly() : run(makeTools(link))
  running.catch((cause) => log.error({ cause: String(cause) }, 'the updater has stopped'))
  link
    ?.listen([topics.blobResponse(node)], 0)
    .then(() => link.listen([topics.desired(cohort, family)], 1))
    .catch((cause) => log.warn({ cause: String(cause) }, 'the updater could not subscribe'))
  publishState()

  /** Without a cloud there are still verdicts on the model, when the station was unplugged during a trial. */
  async function followOnly(): Promise<void> {
    while (!stopping.signal.aborted) {
      wake = Promise.withResolvers<void>()
      await followSlot()
      await wake.promise
    }
  }

  const isOnTrial = (version: ModelVersion) => state.slot.kind === 'trial' && state.slot.active.version === version

  return {
    model: () => model,
    state: () => state,
    modelServed: (version) => {
      if (!isOnTrial(version)) return
      answers++
      if (answers >= (options.answersToConfirm ?? 3)) applySafely(() => apply({ kind: 'served' }))
    },
    modelFailed: (version, reason) => {
      if (!isOnTrial(version)) return
      applySafely(() => apply({ kind: 'failedToServe', reason: `failed-to-serve: ${reason}` }))
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      wake.resolve()
      subscription?.unsubscribe()
      await running.catch(() => {}) // logged above
    },
  }
}
