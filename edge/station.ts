/**
 * A field station as a whole: wires the stages, owns links and database, and stops everything in reverse order.
 * Without a network it goes on observing, predicting and storing; what is to be sent waits in the database.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModelVersion, NodeId, SensorId } from '#shared/domain/ids.ts'
import type { Prediction } from '#shared/domain/prediction.ts'
import type { Log } from '#shared/platform/log.ts'
import { type MqttLink, type MqttLinkOptions, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import type { Clock } from '#shared/std/clock.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import { DATA_LANE } from '#shared/wire/intake.ts'
import { cloudTopics, stationTopics } from '#shared/wire/topics.ts'
import type { StationConfig } from './config.ts'
import { holdStateFolder, openEdgeDatabase } from './database.ts'
import { heartbeat } from './heartbeat.ts'
import { chooseProvider } from './inference/choose-provider.ts'
import { type InferenceModel, startInference } from './inference/inference.ts'
import { createTrial } from './inference/trial.ts'
import { startIntake } from './intake.ts'
import { startModelHost } from './model-host.ts'
import type { ObservationChange } from './observing/windows.ts'
import { countBoot } from './outbox/identity.ts'
import { startOutboxSender } from './outbox/sender.ts'
import { openPipeline } from './pipeline.ts'
import { rehearse, startPredicting } from './predicting.ts'
import { createReadingParser, type SensorProfile } from './readings/parse-message.ts'
import { openRetainedTopic } from './retained.ts'
import { mqttSource } from './sources/mqtt-source.ts'
import { openMediaFolder } from './spool/media-folder.ts'
import { startTelling } from './telling.ts'
import type { ActiveModel } from './update/active-model.ts'
import { startUpdater } from './update/updater.ts'

/** What happens, for watchers (`edge run --events`). */
export type StationEvent =
  | { readonly kind: 'ready'; readonly node: string; readonly epoch: string; readonly boot: number }
  | { readonly kind: 'stored'; readonly readings: number; readonly duplicates: number }
  | { readonly kind: 'rejected'; readonly reason: string; readonly detail: string; readonly topic: string }
  | {
      readonly kind: 'observation'
      readonly observation: string
      readonly revision: number
      readonly final: boolean
      readonly what: ObservationChange['what']
    }
  | {
      readonly kind: 'prediction'
      readonly observation: string
      readonly revision: number
      readonly model: string
      readonly final: boolean
    }
  /** The process that answers: its model, or null. */
  | { readonly kind: 'model'; readonly version: string | null }
  /** The update machine's word (schema model/1). */
  | {
      readonly kind: 'update'
      readonly phase: string
      readonly installed: string | null
      readonly latest: string | null
      readonly progress: number
    }
  | { readonly kind: 'receipt'; readonly upTo: number; readonly removed: number }

export type StationOptions = {
  readonly log: Log
  readonly clock?: Clock
  readonly onEvent?: (event: StationEvent) => void
  /** Once, when storing fails in a way that waiting won't mend; the station should be stopped. */
  readonly onBroken: (cause: unknown) => void
  /** Uniform on (0, 1), for the jitter of reconnections. */
  readonly jitter?: () => number
}

export type Station = AsyncDisposable & { readonly epoch: string; readonly boot: number }

const TICK_MS = 1000
const HEARTBEAT_MS = 10_000
/** For the last word of a station whose broker does not answer. */
const GOODBYE_MS = 1000

/** Resolves when the station runs; it need not be connected. Throws when its database or configuration can't be used. */
export const startStation = async (config: StationConfig, options: StationOptions): Promise<Station> => {
  const { log, clock = systemClock, onEvent = () => {}, jitter } = options
  await using stack = new AsyncDisposableStack()
  const { node, site, prefix, stateFolder, window, rejectedBudgetBytes } = config
  stack.use(await holdStateFolder(stateFolder))
  const database = stack.adopt(await openEdgeDatabase(stateFolder), (opened) => void opened.close())
  const { epoch, boot } = countBoot(database)
  const pipeline = openPipeline({ database, node, window, rejectedBudgetBytes })
  const media = await openMediaFolder(join(stateFolder, 'media'))
  const up = cloudTopics(prefix)
  const here = stationTopics(prefix, site, node)

  const openLink = (url: string, clientId: string, more: Partial<MqttLinkOptions> = {}): MqttLink => {
    const linkLog = log.child({ link: clientId })
    const link = openMqttLink({ url, clientId, log: linkLog, ...(jitter ? { jitter } : {}), ...more })
    return stack.adopt(link, (opened) => opened.close())
  }

  /** Rows may have been added, observations changed. Set once there is something to wake. */
  let wake = () => {}
  let running: ModelVersion | null = null

  // The session keeps at the broker what sensors send while the station is away, and delivers it at once: from here to
  // the intake's start nothing may wait.
  const broker = openLink(config.broker, `${node}-station`, {
    cleanSession: false,
    maxPacketBytes: 2 * config.maxPayloadBytes,
    will: { topic: here.status, payload: JSON.stringify({ schema: 'status/1', state: 'lost', boot }), retain: true },
  })
  const status = openRetainedTopic(broker, here.status, log)
  const modelState = openRetainedTopic(broker, here.modelState, log)
  const publishStatus = () => status.set(readyStatus(config, boot, running))

  const onChanges = (changes: readonly ObservationChange[]): void => {
    for (const change of changes) onEvent(observationEvent(change))
    wake()
  }
  const answerSensor = (ids: readonly string[], sensor: string): void => {
    // A sensor that hears nothing sends again, and hears of it then.
    broker
      .publish(here.stored(sensor), JSON.stringify({ schema: 'stored/1', ids }), { qos: 0 })
      .catch((cause) => log.debug({ sensor, cause: String(cause) }, 'a sensor was not answered'))
  }
  const intake = stack.use(
    startIntake({
      source$: mqttSource({ link: broker, prefix, site, node }),
      parse: createReadingParser({
        node: node as NodeId,
        topicBase: here.observationFilter.slice(0, -'+/obs'.length),
        sensors: sensorProfiles(config),
        acceptUnknownSensors: config.acceptUnknownSensors,
        maxPayloadBytes: config.maxPayloadBytes,
        clock,
      }),
      media,
      store: pipeline.store,
      onStored: ({ ids, newReadings, duplicates, changes }, rejected) => {
        ids.forEach(answerSensor)
        onEvent({ kind: 'stored', readings: newReadings, duplicates })
        for (const { reason, detail, topic } of rejected) onEvent({ kind: 'rejected', reason, detail, topic })
        onChanges(changes)
      },
      onBroken: options.onBroken,
      clock,
      log,
    }),
  )

  const cloud = config.cloud === null ? null : openLink(config.cloud, node)
  const updater = stack.use(
    await startUpdater({
      database,
      folder: stateFolder,
      link: cloud,
      topics: up,
      trust: config.trust,
      node,
      cohort: config.cohort,
      family: config.family,
      tokenizerDigest,
      trial: createTrial({ log, threads: config.inference.threads }),
      onActivated: (model) => host.want(model),
      onModelState: (state) => {
        modelState.set(state)
        const { phase, installed, latest, progress } = state
        onEvent({ kind: 'update', phase, installed, latest, progress })
      },
      report: (row) => {
        pipeline.report(row, clock.nowMs())
        setImmediate(() => wake()) // after the transaction that this belongs to
      },
      clock,
      log,
    }),
  )
  pipeline.report(startedReport(boot, updater.model(), clock.nowMs()), clock.nowMs())

  // Nothing is awaited from here on, so nothing is called before all of it stands.
  const host = stack.use(
    startModelHost({
      start: (model) => startModel(config, model, log),
      rehearse: (model) => rehearse(model, pipeline),
      onChange: (version) => {
        running = version
        onEvent({ kind: 'model', version })
        publishStatus()
        wake()
      },
      onServed: updater.modelServed,
      onFailed: updater.modelFailed,
      log,
    }),
  )
  const predicting = stack.use(
    startPredicting({
      pipeline,
      host,
      batch: config.inference.batch,
      onPredicted: (predictions) => {
        for (const prediction of predictions) onEvent(predictionEvent(prediction))
        wake()
      },
      clock,
      log,
    }),
  )
  const telling = stack.use(
    startTelling({
      table: pipeline.telling,
      link: broker,
      topic: here.event,
      node,
      epoch,
      hasModel: () => updater.model() !== null && host.isHopeful(),
      log,
    }),
  )
  const sender =
    cloud &&
    stack.use(
      startOutboxSender({
        table: pipeline.outbox,
        link: cloud,
        epoch,
        topic: up.up(node, epoch, DATA_LANE),
        receiptTopic: up.receipt(node),
        clock,
        log,
        onSent: (rows, bytes) => {
          pipeline.count('rows-up', rows)
          pipeline.count('bytes-up', bytes)
        },
        onReceipt: ({ upTo }, removed) => onEvent({ kind: 'receipt', upTo, removed }),
      }),
    )
  wake = () => {
    sender?.wake()
    predicting.wake()
    telling.wake()
  }
  host.want(updater.model())
  publishStatus()

  const connections = broker.connected$.subscribe((isUp) => {
    if (!isUp) return
    telling.wake()
    onEvent({ kind: 'ready', node, epoch, boot })
  })
  stack.defer(() => connections.unsubscribe())

  const every = (ms: number, task: () => void): void => void stack.adopt(setInterval(task, ms), clearInterval)
  if (window.time === 'wall') {
    every(TICK_MS, () => {
      try {
        onChanges(pipeline.endPassed(clock.nowMs()))
      } catch (cause) {
        log.warn({ cause: String(cause) }, 'windows could not be ended yet')
      }
    })
  }
  every(HEARTBEAT_MS, () => {
    if (!broker.isConnected()) return
    broker
      .publish(here.health, JSON.stringify(heartbeat(database, config, clock.nowMs())), { qos: 0 })
      .catch((cause) => log.debug({ cause: String(cause) }, 'no heartbeat'))
  })

  const parts = stack.move()
  log.info({ node, epoch, boot, stateFolder }, 'station started')
  return {
    epoch,
    boot,
    [Symbol.asyncDispose]: async () => {
      await intake[Symbol.asyncDispose]()
      const stopped = JSON.stringify({ schema: 'status/1', state: 'stopped', boot })
      const goodbye = broker.publish(here.status, stopped, { qos: 1, retain: true })
      await Promise.race([goodbye.catch(() => {}), delay(GOODBYE_MS, null, { ref: false })]) // offline: the will says it
      await broker.close() // first of all, so that nothing below waits for its answers
      await parts.disposeAsync()
      log.info({ node }, 'station stopped')
    },
  }
}

const readyStatus = ({ sensors }: StationConfig, boot: number, model: ModelVersion | null) => ({
  schema: 'status/1',
  state: 'ready',
  boot,
  sensors: sensors.map(({ id, modality }) => ({ id, modality })),
  model,
})

/** On the wanted provider if it computes what the CPU does, else on the CPU. */
const startModel = async ({ inference }: StationConfig, model: ActiveModel, log: Log): Promise<InferenceModel> => {
  const { version, manifest, modelFile } = model
  const { threads, provider: wanted, memoryCeilingBytes, answerLimitMs } = inference
  const { provider } = await chooseProvider(model, { wanted, threads, log })
  return startInference({
    version,
    manifest,
    modelFile,
    threads,
    provider,
    ...(memoryCeilingBytes === undefined ? {} : { memoryCeilingBytes }),
    ...(answerLimitMs === undefined ? {} : { answerLimitMs }),
    log,
  })
}

const sensorProfiles = ({ sensors }: StationConfig): ReadonlyMap<string, SensorProfile> =>
  new Map(sensors.map((sensor) => [sensor.id, toProfile(sensor)]))

const toProfile = ({ id, modality, deployment, ranges, image, frontEnd }: StationConfig['sensors'][number]) =>
  ({
    id: id as SensorId,
    modality,
    deployment: deployment as SensorProfile['deployment'],
    ...(ranges === undefined ? {} : { ranges }),
    ...(image === undefined ? {} : { image }),
    ...(frontEnd === undefined ? {} : { frontEnd }),
  }) satisfies SensorProfile

const startedReport = (boot: number, model: ActiveModel | null, atMs: number) =>
  ({
    kind: 'report',
    atMs,
    topic: 'started',
    state: 'ready',
    detail: `boot ${boot}`,
    model: model?.version ?? null,
    generation: null,
  }) as const

const predictionEvent = ({ observation, revision, model, final }: Prediction): StationEvent => ({
  kind: 'prediction',
  observation,
  revision,
  model,
  final,
})

const observationEvent = ({ id, revision, final, what }: ObservationChange): StationEvent => ({
  kind: 'observation',
  observation: id,
  revision,
  final,
  what,
})
