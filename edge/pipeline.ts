/**
 * Where the stages meet: the transactions of a station. Each is all or nothing and durable on return; what it
 * returns may be told. Nothing here waits, and nothing is kept in memory between calls.
 */
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { Evidence, Prediction } from '#shared/domain/prediction.ts'
import type { Reading } from '#shared/domain/reading.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import type { Result } from '#shared/std/result.ts'
import type { WireBody } from '#shared/wire/envelope.ts'
import { openObservationTable } from './observing/observations.ts'
import { openPredictionTable, type Waiting } from './observing/predictions.ts'
import { openTellingTable, type TellingTable } from './observing/telling.ts'
import type { Joining, ObservationChange, WindowOptions } from './observing/windows.ts'
import { type OutboxTable, openOutboxTable } from './outbox/table.ts'
import { openCounters } from './spool/counters.ts'
import { openReadingTable } from './spool/readings.ts'
import { openRejectedShelf, type RejectedArrival } from './spool/rejected.ts'

export type StoredGroup = {
  /** Ids that are durable, by sensor: new ones and those that were here already. */
  readonly ids: ReadonlyMap<string, readonly string[]>
  readonly newReadings: number
  readonly duplicates: number
  readonly changes: readonly ObservationChange[]
}

export type WithContents = Waiting & { readonly contents: readonly Reading[] }

type Answer = {
  readonly of: Waiting
  readonly probabilities: readonly number[]
  readonly evidence: Evidence
}

export type Pipeline = {
  /** Readings and what was none, in order of arrival. Media must be durable already. */
  readonly store: (group: readonly Result<Reading, RejectedArrival>[], nowMs: number) => StoredGroup
  /** Ends windows that the wall clock has passed, some at a time; empty when there are none. */
  readonly endPassed: (nowMs: number) => readonly ObservationChange[]
  readonly waiting: (limit: number) => readonly WithContents[]
  readonly newest: (limit: number) => readonly WithContents[]
  /** Predictions of one model. Those that were not made before come back. */
  readonly predict: (
    model: { readonly version: ModelVersion; readonly labels: readonly string[] },
    answers: readonly Answer[],
    nowMs: number,
  ) => readonly Prediction[]
  readonly setAside: (of: Waiting) => void
  /** Adds a row for the cloud; within the caller's transaction when there is one. */
  readonly report: (body: WireBody, nowMs: number) => void
  readonly count: (name: string, amount: number) => void
  readonly telling: TellingTable
  readonly outbox: OutboxTable
}

export type PipelineOptions = {
  readonly database: Database
  readonly node: string
  readonly window: WindowOptions
  readonly rejectedBudgetBytes: number
}

/** Observations ended in one transaction. */
const ENDED_AT_ONCE = 256

export const openPipeline = ({ database, node, window, rejectedBudgetBytes }: PipelineOptions): Pipeline => {
  const counters = openCounters(database)
  const readings = openReadingTable(database, node)
  const rejected = openRejectedShelf(database, counters, rejectedBudgetBytes)
  const observations = openObservationTable(database, window)
  const predictions = openPredictionTable(database)
  const telling = openTellingTable(database)
  const outbox = openOutboxTable({
    database,
    bodyOfReading: readings.bodyOf,
    onOversized: ({ seq, what, body }, nowMs) =>
      rejected.keep({
        topic: `outbox/${seq}`,
        reason: 'oversized-row',
        detail: what,
        receivedAtMs: nowMs,
        payload: Buffer.from(body),
      }),
  })

  const sendUp = (changes: readonly ObservationChange[], nowMs: number): void => {
    for (const change of changes) outbox.append(toWireObservation(change), nowMs)
  }

  const store = (group: readonly Result<Reading, RejectedArrival>[], nowMs: number): StoredGroup => {
    const ids = new Map<string, string[]>()
    const joinings: Joining[] = []
    let valid = 0
    for (const result of group) {
      if (!result.ok) {
        rejected.keep(result.error)
        continue
      }
      const { sensor, id, deployment, observedAtMs } = result.value
      valid++
      ids.set(sensor, [...(ids.get(sensor) ?? []), id])
      const stored = readings.insert(result.value, nowMs)
      if (stored === null) continue
      outbox.appendReading(stored, nowMs)
      joinings.push({ number: stored.number, id, deployment, observedAtMs })
    }
    const changes = observations.join(joinings, nowMs)
    sendUp(changes, nowMs)
    counters.add('readings', joinings.length)
    counters.add('duplicates', valid - joinings.length)
    counters.add('readings-without-time', joinings.filter(({ observedAtMs }) => observedAtMs === null).length)
    return { ids, newReadings: joinings.length, duplicates: valid - joinings.length, changes }
  }

  const endPassed = (nowMs: number): readonly ObservationChange[] => {
    const changes = observations.endPassed(nowMs, ENDED_AT_ONCE)
    sendUp(changes, nowMs)
    return changes
  }

  const predict: Pipeline['predict'] = ({ version, labels }, answers, nowMs) => {
    const made: Prediction[] = []
    for (const { of, probabilities, evidence } of answers) {
      const { id: observation, revision } = of
      const prediction = predictions.insert(of, {
        observation,
        revision,
        model: version,
        labels,
        probabilities,
        evidence,
        predictedAtMs: nowMs,
      })
      if (prediction === null) continue
      outbox.append(toWirePrediction(prediction), nowMs)
      made.push(prediction)
    }
    return made
  }

  const withContents = (waiting: Waiting): WithContents => ({ ...waiting, contents: readings.read(waiting.readings) })

  return {
    store: database.transaction(store).immediate,
    endPassed: database.transaction(endPassed).immediate,
    waiting: (limit) => predictions.waiting(limit).map(withContents),
    newest: (limit) => predictions.newest(limit).map(withContents),
    predict: database.transaction(predict).immediate,
    setAside: predictions.setAside,
    report: database.transaction((body: WireBody, nowMs: number) => void outbox.append(body, nowMs)),
    count: counters.add,
    telling,
    outbox,
  }
}

const toWireObservation = (change: ObservationChange): WireBody => ({
  kind: 'observation',
  id: change.id,
  deployment: change.deployment,
  startMs: change.window.startMs,
  endMs: change.window.endMs,
  revision: change.revision,
  final: change.final,
  readings: [...change.readings],
})

const toWirePrediction = (prediction: Prediction): WireBody => ({
  kind: 'prediction',
  ...prediction,
  labels: [...prediction.labels],
  probabilities: [...prediction.probabilities],
  evidence: { ...prediction.evidence },
})
