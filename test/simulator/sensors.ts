/**
 * Plays a valley to real brokers: every station's sensors publish at a chosen pace and keep each reading
 * until the station says that it is stored; reviewers keep each label until the cloud says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import type { Clock } from '#shared/std/clock.ts'
import { cloudTopics, stationTopics } from '#shared/wire/topics.ts'
import { type Courier, type CourierCounts, openCourier, type Parcel } from './courier.ts'
import { type Due, inSendOrder, type Span } from './schedule.ts'
import { HOUR_MS, type Station } from './station.ts'
import { EMPTY_TALLY, type Tally, tallyOf } from './tally.ts'
import { type PlannedMessage, REVIEWERS, SITE, type StationHour, type Valley } from './valley.ts'

export type RunSensorsOptions = {
  readonly valley: Valley
  /** Its `hours` is read anew at each hour's end: a getter can bring the run to an orderly close. */
  readonly span: Span
  /** Pace, asked before each message; Infinity sends as fast as stations store. */
  readonly virtualHoursPerSecond: number | (() => number)
  /** A link of its own for each station, to the station's broker; closed by the run. */
  readonly openStationLink: (station: Station) => MqttLink
  /** To the cloud's broker; without it no labels are sent. */
  readonly openLabelLink?: () => MqttLink
  readonly resendAfterMs?: number
  /** Unconfirmed messages of one station at which its sensors wait; virtual time waits with them. */
  readonly mostKept?: number
  /** How long to wait at the end for the last confirmations. */
  readonly settleMs?: number
  readonly clock?: Clock
  /** Stops the run early; the summary then says what was still unconfirmed. */
  readonly signal?: AbortSignal
  /** Called when a virtual hour is over, with its truth. */
  readonly onHour?: (hours: readonly StationHour[]) => void
}

export type SensorsSummary = {
  /** What must have arrived of the hours that were played to their end. */
  readonly expected: Tally
  readonly readings: CourierCounts
  readonly labels: CourierCounts
  /** Messages that nobody has confirmed. */
  readonly unconfirmed: number
  readonly isComplete: boolean
}

const CHECK_MS = 10

export const runSensors = async (options: RunSensorsOptions): Promise<SensorsSummary> => {
  const { valley, clock = systemClock, resendAfterMs = 3000, mostKept = 400, settleMs = 30_000 } = options
  const signal = options.signal ?? new AbortController().signal
  const stations = valley.stations.map((station) =>
    openCourier({
      link: options.openStationLink(station),
      storedFilters: [stationTopics(valley.prefix, SITE, station.node).storedFilter],
      resendAfterMs,
      clock,
    }),
  )
  const labelLink = options.openLabelLink?.()
  const reviewers = labelLink
    ? openCourier({
        link: labelLink,
        storedFilters: [cloudTopics(valley.prefix).labelsStored(REVIEWERS)],
        resendAfterMs,
        clock,
      })
    : null
  const couriers = reviewers ? [...stations, reviewers] : stations
  let expected = EMPTY_TALLY
  let isPlayed = false

  const deliver = async (due: Due): Promise<void> => {
    if (due.kind === 'hour') {
      expected = tallyOf(due.hours, expected)
      options.onHour?.(due.hours)
      return
    }
    const courier = due.kind === 'label' ? reviewers : stations[due.message.station.index]
    if (!courier) return
    await until(() => courier.kept() < mostKept, signal)
    courier.offer(due.kind === 'label' ? labelParcel(due.label) : readingParcel(due.message))
  }

  try {
    const pace = makePace(valley, options, clock)
    for await (const due of inSendOrder(valley, options.span)) {
      await pause(pace(due.sendAtMs), signal)
      if (signal.aborted) break
      await deliver(due)
    }
    isPlayed = !signal.aborted
    const lastMs = clock.monotonicMs() + settleMs
    await until(() => kept(couriers) === 0 || clock.monotonicMs() > lastMs, signal)
    const unconfirmed = kept(couriers)
    return {
      expected: reviewers ? expected : { ...expected, labels: 0 },
      readings: stations.map((courier) => courier.counts()).reduce(addCounts),
      labels: reviewers?.counts() ?? NO_COUNTS,
      unconfirmed,
      isComplete: isPlayed && unconfirmed === 0,
    }
  } finally {
    await Promise.all(couriers.map((courier) => courier.close()))
  }
}

const NO_COUNTS: CourierCounts = {
  offered: 0,
  published: 0,
  resent: 0,
  failed: 0,
  confirmed: 0,
  confirmedAgain: 0,
  refused: 0,
}

const addCounts = (a: CourierCounts, b: CourierCounts): CourierCounts => ({
  offered: a.offered + b.offered,
  published: a.published + b.published,
  resent: a.resent + b.resent,
  failed: a.failed + b.failed,
  confirmed: a.confirmed + b.confirmed,
  confirmedAgain: a.confirmedAgain + b.confirmedAgain,
  refused: a.refused + b.refused,
})

const kept = (couriers: readonly Courier[]): number => couriers.reduce((sum, courier) => sum + courier.kept(), 0)

const readingParcel = ({ id, topic, payload, fate, isRepeat }: PlannedMessage): Parcel => ({
  id,
  topic,
  payload,
  until: fate.kind === 'valid' && !isRepeat ? 'stored' : 'acknowledged',
})

const labelParcel = ({ message, topic }: NonNullable<StationHour['label']>): Parcel => ({
  id: message.id,
  topic,
  payload: JSON.stringify(message),
  until: 'stored',
})

/** Real milliseconds from now until a moment of virtual time. What comes too late does not hasten what follows. */
const makePace = (valley: Valley, options: RunSensorsOptions, clock: Clock): ((virtualMs: number) => number) => {
  const { virtualHoursPerSecond: pace } = options
  let virtualMs = valley.startMs + options.span.fromHour * HOUR_MS
  let realMs = clock.monotonicMs()
  return (nextMs) => {
    const hoursPerSecond = typeof pace === 'number' ? pace : pace()
    const nowMs = clock.monotonicMs()
    const dueMs = realMs + Math.max(0, nextMs - virtualMs) / (hoursPerSecond * 3600)
    virtualMs = Math.max(virtualMs, nextMs)
    realMs = Math.max(dueMs, nowMs)
    return dueMs - nowMs
  }
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  if (ms < 1 || signal.aborted) return
  // An abort ends the pause; the caller looks at the signal.
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

const until = async (holds: () => boolean, signal: AbortSignal): Promise<void> => {
  while (!holds() && !signal.aborted) await pause(CHECK_MS, signal)
}
