/** What a station has stored, read from its database beside it. */

import { databaseFile } from '#edge/database.ts'
import { openReadOnly } from '#shared/platform/sqlite.ts'

export type StationCounts = {
  readonly readings: number
  readonly observations: number
  readonly revisions: number
  readonly predictions: number
  readonly rejected: number
  /** Observations whose newest revision has no prediction yet. */
  readonly waiting: number
}

const COUNTS = `SELECT
  (SELECT count(*) FROM reading) AS readings,
  (SELECT count(*) FROM observation) AS observations,
  (SELECT coalesce(sum(revision), 0) FROM observation) AS revisions,
  (SELECT count(*) FROM prediction) AS predictions,
  (SELECT count(*) FROM rejected) AS rejected,
  (SELECT count(*) FROM observation WHERE pending <> 0) AS waiting`

export const readCounts = (stateFolder: string): StationCounts => {
  const database = openReadOnly(databaseFile(stateFolder))
  try {
    return database.prepare<[], StationCounts>(COUNTS).get()!
  } finally {
    database.close()
  }
}

export type StoredPrediction = {
  readonly observation: string
  readonly model: string
  /** Readings that the predicted revision is made of. */
  readonly readings: number
  readonly labels: readonly string[]
  readonly probabilities: readonly number[]
}

type Row = { readonly body: string; readonly readings: number }

/** Of each observation the prediction of its newest revision, whichever model made it. */
export const readPredictions = (stateFolder: string): readonly StoredPrediction[] => {
  const database = openReadOnly(databaseFile(stateFolder))
  try {
    const rows = database.prepare<[], Row>(
      `SELECT p.body, (SELECT count(*) FROM member m WHERE m.observation = o.number) AS readings
       FROM observation o JOIN prediction p ON p.observation = o.number AND p.revision = o.revision`,
    )
    return rows.all().map(({ body, readings }) => ({ ...JSON.parse(body), readings }))
  } finally {
    database.close()
  }
}
