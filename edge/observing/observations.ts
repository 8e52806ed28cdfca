/** Observations as rows. Every function here runs within the caller's transaction. */
import { type DeploymentId, observationId, type ReadingId } from '#shared/domain/ids.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import {
  groupByWindow,
  isPassed,
  type Joining,
  newestByDeployment,
  type ObservationChange,
  type WindowGroup,
  type WindowOptions,
} from './windows.ts'

export type ObservationTable = {
  /** Readings that are new here. Changes come in the order in which they must be told: revised ones, then ended ones. */
  readonly join: (joinings: readonly Joining[], nowMs: number) => readonly ObservationChange[]
  /** Ends what the wall clock has passed; nothing when readings are the clock. At most `limit` of them. */
  readonly endPassed: (nowMs: number, limit: number) => readonly ObservationChange[]
}

type Row = {
  number: number
  deployment: DeploymentId
  start_ms: number
  end_ms: number
  revision: number
  final: number
}

const ALL = -1

export const openObservationTable = (database: Database, options: WindowOptions): ObservationTable => {
  const find = database.prepare<[string, number], Row>(
    'SELECT number, deployment, start_ms, end_ms, revision, final FROM observation WHERE deployment = ? AND start_ms = ?',
  )
  const insert = database.prepare<[string, number, number, number, number], Row>(
    `INSERT INTO observation (deployment, start_ms, end_ms, revision, final, late, pending, untold)
     VALUES (?, ?, ?, 1, ?, ?, 1, 1) RETURNING *`,
  )
  const revise = database.prepare<[number, number, number], Row>(
    `UPDATE observation SET revision = revision + 1, final = ?, late = ?, pending = 1, untold = 1
     WHERE number = ? RETURNING *`,
  )
  const addMember = database.prepare<[number, number, string, number]>('INSERT INTO member VALUES (?, ?, ?, ?)')
  const members = database
    .prepare<[number], ReadingId>('SELECT reading_id FROM member WHERE observation = ? ORDER BY reading')
    .pluck()
  const raiseTime = database
    .prepare<[string, number], number>(
      `INSERT INTO deployment_time VALUES (?, ?)
       ON CONFLICT DO UPDATE SET newest_ms = max(newest_ms, excluded.newest_ms) RETURNING newest_ms`,
    )
    .pluck()
  const endOf = database.prepare<[string, number, number], Row>(
    `UPDATE observation SET final = 1, untold = 1 WHERE number IN (
       SELECT number FROM observation WHERE final = 0 AND deployment = ? AND end_ms <= ? ORDER BY end_ms LIMIT ?)
     RETURNING *`,
  )
  const endAny = database.prepare<[number, number], Row>(
    `UPDATE observation SET final = 1, untold = 1 WHERE number IN (
       SELECT number FROM observation WHERE final = 0 AND end_ms <= ? LIMIT ?)
     RETURNING *`,
  )

  const toChange = (row: Row, what: ObservationChange['what']): ObservationChange => ({
    number: row.number,
    id: observationId(row.deployment, row.start_ms),
    deployment: row.deployment,
    window: { startMs: row.start_ms, endMs: row.end_ms },
    revision: row.revision,
    final: row.final === 1,
    what,
    readings: members.all(row.number),
  })

  const joinWindow = ({ deployment, window, readings }: WindowGroup, timeMs: number): ObservationChange => {
    const known = find.get(deployment, window.startMs)
    // The row's end, should the window's length have been changed since.
    const passed = isPassed(known?.end_ms ?? window.endMs, timeMs, options) ? 1 : 0
    const row = known
      ? revise.get(known.final | passed, passed, known.number)!
      : insert.get(deployment, window.startMs, window.endMs, passed, passed)!
    for (const { number, id } of readings) addMember.run(row.number, number, id, row.revision)
    return toChange(row, 'revised')
  }

  const byStart = (a: Row, b: Row) => a.start_ms - b.start_ms || a.number - b.number

  return {
    join: (joinings, nowMs) => {
      const newest = new Map<DeploymentId, number>()
      for (const [deployment, atMs] of newestByDeployment(joinings)) {
        newest.set(deployment, raiseTime.get(deployment, atMs)!)
      }
      const timeOf = (deployment: DeploymentId) => (options.time === 'wall' ? nowMs : newest.get(deployment)!)
      const revised = groupByWindow(joinings, options.ms).map((group) => joinWindow(group, timeOf(group.deployment)))
      if (options.time === 'wall') return revised
      const ended = [...newest].flatMap(([deployment, timeMs]) =>
        endOf.all(deployment, timeMs - options.allowedLatenessMs, ALL).sort(byStart),
      )
      return [...revised, ...ended.map((row) => toChange(row, 'ended'))]
    },
    endPassed: (nowMs, limit) =>
      options.time === 'readings'
        ? []
        : endAny
            .all(nowMs - options.allowedLatenessMs, limit)
            .sort(byStart)
            .map((row) => toChange(row, 'ended')),
  }
}

export type ObservationCounts = {
  readonly observations: number
  readonly revisions: number
  readonly final: number
  readonly pending: number
  readonly setAside: number
  readonly predictions: number
}

export const countObservations = (database: Database): ObservationCounts =>
  database
    .prepare<[], ObservationCounts>(
      `SELECT count(*) AS observations, coalesce(sum(revision), 0) AS revisions, coalesce(sum(final), 0) AS final,
         coalesce(sum(pending = 1), 0) AS pending, coalesce(sum(pending = 2), 0) AS setAside,
         (SELECT count(*) FROM prediction) AS predictions FROM observation`,
    )
    .get()!
