/**
 * What the world was told of each observation. The flag is cleared only after the broker has acknowledged, so a
 * crash repeats an event (under its old id) and loses none.
 */
import { type DeploymentId, type ObservationId, observationId } from '#shared/domain/ids.ts'
import type { Prediction } from '#shared/domain/prediction.ts'
import type { Database } from '#shared/platform/sqlite.ts'

export type EventType = 'new' | 'update' | 'end'

export type Telling = {
  readonly revision: number
  readonly final: boolean
  readonly isPredicted: boolean
  readonly toldRevision: number
  readonly wasToldPredicted: boolean
  /** Revision whose end was told; 0 when none was. */
  readonly toldEnd: number
}

/** What is due, in order. Revisions that came and went untold are skipped: the newest says it all. */
export const eventsDue = (it: Telling): readonly EventType[] => {
  const isNews = it.revision > it.toldRevision || (it.isPredicted && !it.wasToldPredicted)
  const news: readonly EventType[] = isNews ? [it.toldRevision === 0 ? 'new' : 'update'] : []
  return it.final && it.toldEnd < it.revision ? [...news, 'end'] : news
}

export type Untold = Telling & {
  readonly number: number
  readonly id: ObservationId
  readonly startMs: number
  /** The revision was made after the allowed lateness. */
  readonly late: boolean
  readonly prediction: Prediction | null
  /** As stored; what is marked as told must still be in this state. */
  readonly pending: number
}

export type TellingTable = {
  /** `areWaitingTold`: whether to give those too whose present revision waits for a prediction (there is no model). */
  readonly untold: (limit: number, areWaitingTold: boolean) => readonly Untold[]
  /** All that was due of these is told. One transaction. */
  readonly markTold: (told: readonly Untold[]) => void
}

type Row = {
  number: number
  deployment: DeploymentId
  start_ms: number
  revision: number
  final: number
  late: number
  pending: number
  told_revision: number
  told_predicted: number
  told_end: number
  body: string | null
}

export const openTellingTable = (database: Database): TellingTable => {
  // The newest model's prediction stands for the revision, should there be several.
  const select = (which: string) =>
    database.prepare<[number], Row>(
      `SELECT o.*, (SELECT p.body FROM prediction p WHERE p.observation = o.number AND p.revision = o.revision
                    ORDER BY json_extract(p.body, '$.predictedAtMs') DESC LIMIT 1) AS body
       FROM observation o WHERE ${which} ORDER BY o.number LIMIT ?`,
    )
  const all = select('o.untold = 1')
  const settled = select('o.untold = 1 AND o.pending <> 1')
  // What changed between reading and marking stays untold.
  const mark = database.prepare(
    `UPDATE observation SET told_revision = @revision, told_predicted = @predicted, told_end = max(told_end, @end),
       untold = (revision <> @revision OR final <> @final OR pending <> @pending) WHERE number = @number`,
  )
  return {
    untold: (limit, areWaitingTold) =>
      (areWaitingTold ? all : settled).all(limit).map((row) => ({
        number: row.number,
        id: observationId(row.deployment, row.start_ms),
        startMs: row.start_ms,
        revision: row.revision,
        final: row.final === 1,
        late: row.late === 1,
        pending: row.pending,
        isPredicted: row.body !== null,
        toldRevision: row.told_revision,
        wasToldPredicted: row.told_predicted === 1,
        toldEnd: row.told_end,
        prediction: row.body === null ? null : (JSON.parse(row.body) as Prediction),
      })),
    markTold: database.transaction((told: readonly Untold[]) => {
      for (const { number, revision, final, isPredicted, pending } of told) {
        mark.run({
          number,
          revision,
          pending,
          final: final ? 1 : 0,
          predicted: isPredicted ? 1 : 0,
          end: final ? revision : 0,
        })
      }
    }),
  }
}
