/** The demo from start to end: broker, fleet, valley, and what is seen of them. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openRegistry } from '#cloud/registry/registry.ts'
import type { ServiceEvent } from '#cloud/service-event.ts'
import { readConfig } from '#edge/config.ts'
import type { StationEvent } from '#edge/station.ts'
import { readStatus, type StationStatus } from '#edge/status.ts'
import { manifestSchema } from '#shared/bundle/manifest.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { openLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { type MqttLink, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { openReadOnly } from '#shared/platform/sqlite.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { type EventMessage, eventSchema } from '#shared/wire/event.ts'
import { stationTopics } from '#shared/wire/topics.ts'
import { runSensors } from '#test/simulator/sensors.ts'
import { createValley, SITE, type Valley } from '#test/simulator/valley.ts'
import { cloudFolder, type Fleet, startFleet } from './fleet.ts'
import { createLedger, type Ledger } from './ledger.ts'
import type { DemoOptions } from './options.ts'
import { holdDemoFolder, readSaved, writeSaved } from './saved.ts'
import { bestMarks, markModel, type ScoredModel, setExam } from './scoreboard.ts'
import { milestone, type Screen } from './screen.ts'
import { FAMILY, PREFIX, sensorProfiles } from './station-file.ts'
import type { Summary } from './summary.ts'
import { emptyWorld, isRolledOut, see, type World, type WorldEvent } from './world.ts'

/** As fast as stations store until there is a model; then at a pace that a person can follow. */
const PACE_BEFORE = Number.POSITIVE_INFINITY
const PACE_BETWEEN = 8
const PACE_AFTER = 1
/** Hours that are played again at a second start: reviews come up to half a day late. Repeats make no difference. */
const REPLAYED_HOURS = 24
/** Models that --once waits for. */
const ROLLOUTS = 2
/** The exam lies a week behind the last hour that anyone has learned from. */
const EXAM_GAP_HOURS = 24
const EXAM_HOURS = 168
const DRAW_MS = 250
const DRAIN_LIMIT_MS = 60_000

class DemoError extends Error {
  readonly code = 'demo'
}

const openLink = (broker: string, clientId: string): MqttLink =>
  openMqttLink({ url: broker, clientId, log: openLog('demo', 'silent'), maxPacketBytes: 1 << 20 })

/** Hands every event message of the stations on. */
const listenToAnswers = async (
  link: MqttLink,
  valley: Valley,
  onAnswer: (node: string, event: EventMessage) => void,
) => {
  const topics = new Map(valley.stations.map(({ node }) => [stationTopics(PREFIX, SITE, node).event, node]))
  const subscription = link.deliveries$.subscribe(({ topic, payload, ack }) => {
    ack()
    const node = topics.get(topic)
    if (node !== undefined) onAnswer(node, eventSchema.parse(JSON.parse(Buffer.from(payload).toString())))
  })
  await link.listen([...topics.keys()])
  return subscription
}

const currentModel = async (folder: string): Promise<ScoredModel | null> => {
  const registry = await openRegistry(join(cloudFolder(folder), 'registry'))
  const current = await registry.current(FAMILY)
  if (current === null) return null
  const manifest = await registry.blob(current.release.manifest.sha256)
  const model = await registry.blob(current.release.objects.model.sha256)
  if (manifest === null || model === null) throw new DemoError(`the files of ${current.version} are gone`)
  return {
    version: current.version,
    manifest: manifestSchema.parse(JSON.parse(await readFile(manifest.file, 'utf8'))),
    modelFile: model.file,
  }
}

const statusOf = async (fleet: Fleet, node: string): Promise<NonNullable<StationStatus>> => {
  const status = await readStatus(await readConfig(fleet.configOf(node)), systemClock.nowMs())
  if (status === null) throw new DemoError(`${node} has no state`)
  return status
}

/** Waits until nothing waits: every revision predicted, every row receipted. */
const drained = async (fleet: Fleet, valley: Valley, signal: AbortSignal): Promise<boolean> => {
  const limitMs = systemClock.monotonicMs() + DRAIN_LIMIT_MS
  while (!signal.aborted && systemClock.monotonicMs() < limitMs) {
    const all = await Promise.all(valley.stations.map(({ node }) => statusOf(fleet, node)))
    if (all.every(({ outbox, pending }) => outbox.rows === 0 && pending === 0)) return true
    await delay(200)
  }
  return false
}

/** Resolves when the stop signal came, or with --once after the second rollout; null for the former. */
export const runDemo = async (options: DemoOptions, screen: Screen, stop: AbortSignal): Promise<Summary | null> => {
  const startedMs = systemClock.monotonicMs()
  const { seed, stations, stateFolder, once } = options
  await mkdir(stateFolder, { recursive: true })
  await using stack = new AsyncDisposableStack()
  stack.use(holdDemoFolder(stateFolder))
  const saved = await readSaved(stateFolder, { seed, stations })
  const valley = await createValley({ seed, stations, prefix: PREFIX })
  screen.line(`seed ${seed}, ${stations} stations, state in ${stateFolder}`)

  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  let world: World = emptyWorld(valley.stations.map(({ node }) => node))
  let firstPredictionMs: number | null = null
  let lost: string | null = null
  const failing = new AbortController()
  const ending = AbortSignal.any([stop, failing.signal])
  const tell = (news: WorldEvent): void => {
    const text = milestone(world, news)
    world = see(world, news)
    if (news.from === 'station' && news.event.kind === 'prediction') firstPredictionMs ??= systemClock.monotonicMs()
    if (text !== null) screen.line(text)
  }

  const modelBefore = await currentModel(stateFolder)
  const fleet = stack.use(
    await startFleet({
      stop,
      folder: stateFolder,
      seed,
      broker: broker.url,
      stations: valley.stations,
      onCloud: (event) => tell({ from: 'cloud', event: event as ServiceEvent }),
      onStation: (node, event) => tell({ from: 'station', node, event: event as StationEvent }),
      onLost: (name, exit) => {
        lost ??= `${name} ended by itself (${exit}): see ${join(stateFolder, 'logs', `${name}.log`)}`
        failing.abort()
      },
    }),
  )
  if (fleet === null) return null
  const answersLink = stack.adopt(openLink(broker.url, 'demo'), (link) => link.close())
  const answers = await listenToAnswers(answersLink, valley, (node, event) => tell({ from: 'answers', node, event }))
  stack.defer(() => answers.unsubscribe())
  const drawing = setInterval(() => screen.draw(world), DRAW_MS)
  stack.defer(() => clearInterval(drawing))

  const awaited = ROLLOUTS - (modelBefore === null ? 0 : 1)
  const isDone = (): boolean => {
    const latest = world.published.at(-1)
    return world.published.length >= awaited && latest !== undefined && isRolledOut(world, latest.version)
  }
  const ledger = createLedger()
  const fromHour = Math.max(0, saved.nextHour - REPLAYED_HOURS)
  let playedHours = 0
  let first: ScoredModel | null = modelBefore
  const span = {
    fromHour,
    get hours() {
      return once && isDone() ? playedHours : Number.POSITIVE_INFINITY
    },
  }
  const pace = (): number => {
    if (world.published.length === 0 && modelBefore === null) return PACE_BEFORE
    return isDone() ? PACE_AFTER : PACE_BETWEEN
  }
  const sensors = await runSensors({
    valley,
    span,
    virtualHoursPerSecond: pace,
    openStationLink: ({ node }) => openLink(broker.url, `${node}-sensors`),
    openLabelLink: () => openLink(broker.url, 'reviewers'),
    signal: ending,
    onHour: (hours) => {
      playedHours++
      ledger.add(hours)
      tell({ from: 'valley', hours: fromHour + playedHours })
    },
  })
  await writeSaved(stateFolder, { schema: 'demo/1', seed, stations, nextHour: fromHour + playedHours })
  if (lost !== null) throw new DemoError(lost)
  if (!once || stop.aborted) return null
  if (!sensors.isComplete) throw new DemoError(`${sensors.unconfirmed} messages were never confirmed`)
  if (!(await drained(fleet, valley, ending))) throw new DemoError('the stations did not come to rest')
  first ??= await firstPublished(world)
  const second = await currentModel(stateFolder)
  if (first === null || second === null) throw new DemoError('the models are gone')
  screen.line('both models sit an exam on later hours that neither has seen …')
  return await summarize({
    options,
    world,
    ledger,
    models: [first, second],
    fleet,
    valley,
    fromHour,
    playedHours,
    startedMs,
    firstPredictionSeconds:
      firstPredictionMs === null || modelBefore !== null ? null : (firstPredictionMs - startedMs) / 1000,
  })
}

const firstPublished = async ({ published }: World): Promise<ScoredModel | null> => {
  const [event] = published
  if (event === undefined) return null
  const manifest = manifestSchema.parse(JSON.parse(await readFile(event.files.manifest, 'utf8')))
  return { version: event.version as ModelVersion, manifest, modelFile: event.files.model }
}

type Ended = {
  readonly options: DemoOptions
  readonly world: World
  readonly ledger: Ledger
  readonly models: readonly [ScoredModel, ScoredModel]
  readonly fleet: Fleet
  readonly valley: Valley
  readonly fromHour: number
  readonly playedHours: number
  readonly startedMs: number
  readonly firstPredictionSeconds: number | null
}

const summarize = async (ended: Ended): Promise<Summary> => {
  const { options, world, ledger, models, fleet, valley, fromHour, playedHours } = ended
  const { seed, stations, stateFolder } = options
  const log = openLog('exam', 'silent')
  const examOptions = {
    seed,
    stations,
    fromHour: fromHour + playedHours + EXAM_GAP_HOURS,
    hours: EXAM_HOURS,
    sensors: sensorProfiles,
  }
  const exam = await setExam(examOptions)
  const before = await markModel(exam, models[0], log)
  const after = await markModel(exam, models[1], log)
  const statuses = await Promise.all(valley.stations.map(({ node }) => statusOf(fleet, node)))
  const sum = (pick: (status: NonNullable<StationStatus>) => number): number =>
    statuses.reduce((total, status) => total + pick(status), 0)
  const rejected: Record<string, number> = {}
  for (const status of statuses) {
    for (const [reason, count] of Object.entries(status.rejected)) rejected[reason] = (rejected[reason] ?? 0) + count
  }
  const cloud = openReadOnly(join(cloudFolder(stateFolder), 'cloud.db'))
  try {
    return {
      seed,
      stations,
      seconds: (systemClock.monotonicMs() - ended.startedMs) / 1000,
      virtualHours: playedHours,
      firstPredictionSeconds: ended.firstPredictionSeconds,
      messagesIn: sum(({ messagesIn }) => messagesIn),
      observations: sum(({ observations }) => observations),
      predictions: sum(({ predictions }) => predictions),
      revisions: sum(({ revisions, observations }) => revisions - observations),
      rejected,
      modelVersions: Object.fromEntries([...world.stations].map(([node, { versions }]) => [node, versions])),
      aucBySubset: { before, after, bestPossible: bestMarks(examOptions) },
      ...ledger.audit(cloud),
      duplicatesSuppressed: sum(({ duplicates }) => duplicates),
      bytesUp: sum(({ bytesUp }) => bytesUp),
    }
  } finally {
    cloud.close()
  }
}
