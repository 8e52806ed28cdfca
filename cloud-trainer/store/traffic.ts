/**
 * What stations ask their models with: how many predictions were made from which modalities, counted in the transaction
 * that takes them in, so that what arrives twice counts once.
 */
import type { Evidence } from '#shared/domain/prediction.ts'
import type { Database } from '#shared/platform/sqlite.ts'

/** Predictions from these modalities, wholly or in part visible, and no others. Names are sorted. */
export type SubsetTraffic = { readonly modalities: readonly string[]; readonly predictions: number }

/** Of models of one family, in the last `weeks` calendar weeks (of Thursdays), the running one included. */
export type TrafficQuery = { readonly family: string; readonly nowMs: number; readonly weeks: number }

const WEEK_MS = 604_800_000
const weekOf = (ms: number): number => Math.floor(ms / WEEK_MS)

/** By the time of arrival: a station's clock may be wrong, and one without a network sends late what it asked. */
export const prepareTrafficCount = (
  database: Database,
): ((prediction: { readonly model: string; readonly evidence: Evidence }, nowMs: number) => void) => {
  const add = database.prepare<[string, string, number]>(
    `INSERT INTO traffic (model, modalities, week, predictions) VALUES (?, ?, ?, 1)
     ON CONFLICT DO UPDATE SET predictions = predictions + 1`,
  )
  return ({ model, evidence }, nowMs) => {
    const visible = Object.keys(evidence).filter((name) => evidence[name]!.visibleTokens > 0)
    add.run(model, JSON.stringify(visible.sort()), weekOf(nowMs))
  }
}

/** The most asked first. */
export const prepareTraffic = (database: Database): ((query: TrafficQuery) => readonly SubsetTraffic[]) => {
  // A version is the family's name, @ and a hash. Weeks to come are those of a clock that was wrong: they would never pass.
  const sums = database.prepare<[string, number, number], { modalities: string; predictions: number }>(
    `SELECT modalities, sum(predictions) AS predictions FROM traffic
     WHERE instr(model, ? || '@') = 1 AND week > ? AND week <= ?
     GROUP BY modalities ORDER BY predictions DESC, modalities`,
  )
  return ({ family, nowMs, weeks }) =>
    sums.all(family, weekOf(nowMs) - weeks, weekOf(nowMs)).map(({ modalities, predictions }) => ({
      modalities: JSON.parse(modalities),
      predictions,
    }))
}
