/** What waits for a prediction, and the predictions themselves, which never change once made. */
import { type DeploymentId, type ObservationId, observationId } from '#shared/domain/ids.ts'
import type { Prediction } from '#shared/domain/prediction.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import type { Database } from '#shared/platform/sqlite.ts'

export type Waiting = {
  readonly number: number
  readonly id: ObservationId
  readonly window: TimeWindow
  readonly revision: number
  /** Rows in the spool. */
  readonly readings: readonly number[]
}

export type PredictionTable = {
  /** Present revisions without a prediction, newest windows first. */
  readonly waiting: (limit: number) => readonly Waiting[]
  /** The present revisions of the observations that came last, predicted or not. */
  readonly newest: (limit: number) => readonly Waiting[]
  /** In a transaction. Null: this revision has one by this model. Clears the wait if the revision is still the present one. */
  readonly insert: (of: Waiting, prediction: Omit<Prediction, 'final'>) => Prediction | null
  /** The present revision can't be predicted; a later one is tried again. */
  readonly setAside: (of: Waiting) => void
}

type Row = { number: number; deployment: DeploymentId; start_ms: number; end_ms: number; revision: number }

export const openPredictionTable = (database: Database): PredictionTable => {
  const waiting = database.prepare<[number], Row>(
    `SELECT number, deployment, start_ms, end_ms, revision FROM observation WHERE pending = 1
     ORDER BY start_ms DESC, number DESC LIMIT ?`,
  )
  const newest = database.prepare<[number], Row>(
    'SELECT number, deployment, start_ms, end_ms, revision FROM observation ORDER BY number DESC LIMIT ?',
  )
  const members = database
    .prepare<[number, number], number>(
      'SELECT reading FROM member WHERE observation = ? AND revision <= ? ORDER BY reading',
    )
    .pluck()
  const isFinal = database.prepare<[number], number>('SELECT final FROM observation WHERE number = ?').pluck()
  const insert = database.prepare<[number, number, string, string]>(
    'INSERT INTO prediction (observation, revision, model, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const settle = database.prepare<[number, number, number]>(
    'UPDATE observation SET pending = ?, untold = 1 WHERE number = ? AND revision = ?',
  )
  const toWaiting = ({ number, deployment, start_ms, end_ms, revision }: Row): Waiting => ({
    number,
    id: observationId(deployment, start_ms),
    window: { startMs: start_ms, endMs: end_ms },
    revision,
    readings: members.all(number, revision),
  })
  return {
    waiting: (limit) => waiting.all(limit).map(toWaiting),
    newest: (limit) => newest.all(limit).map(toWaiting),
    insert: ({ number, revision }, rest) => {
      const prediction: Prediction = { ...rest, final: isFinal.get(number) === 1 }
      const { changes } = insert.run(number, revision, prediction.model, JSON.stringify(prediction))
      settle.run(0, number, revision)
      return changes === 0 ? null : prediction
    },
    setAside: ({ number, revision }) => void settle.run(2, number, revision),
  }
}
