/** Keeps account of what the sensors have sent, and looks in the cloud's database what has become of it. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { StationHour } from '#test/simulator/valley.ts'

export type Ledger = {
  readonly add: (hours: readonly StationHour[]) => void
  /** Valid readings entered so far. */
  readonly expected: () => number
  /** Compares with the cloud's tables. */
  readonly audit: (cloud: Database) => Audit
}

type Audit = {
  /** Valid readings of the hours in the ledger that the cloud does not have. */
  readonly lost: number
  /** Readings and predictions that it has more than once, and readings that nobody sent. */
  readonly duplicated: number
}

const keyOf = (node: string, id: string) => `${node} ${id}`

export const createLedger = (): Ledger => {
  const valid = new Set<string>()
  let firstHour = Number.POSITIVE_INFINITY
  let lastHour = Number.NEGATIVE_INFINITY

  return {
    add: (hours) => {
      for (const { truth, messages } of hours) {
        firstHour = Math.min(firstHour, truth.hour)
        lastHour = Math.max(lastHour, truth.hour)
        for (const { station, id, fate } of messages) if (fate.kind === 'valid') valid.add(keyOf(station.node, id))
      }
    },
    expected: () => valid.size,
    audit: (cloud) => {
      const rows = cloud.prepare<[], { node: string; id: string }>('SELECT node, id FROM reading').all()
      const seen = new Set<string>()
      let duplicated = 0
      for (const { node, id } of rows) {
        // The simulator's ids end in the hour; those of an earlier run of the same valley are not this ledger's.
        const hour = Number(id.slice(id.lastIndexOf(':') + 1))
        if (hour < firstHour || hour > lastHour) continue
        const key = keyOf(node, id)
        if (seen.has(key) || !valid.has(key)) duplicated++
        seen.add(key)
      }
      const repeatedPredictions = cloud
        .prepare<[], { n: number }>(
          `SELECT coalesce(sum(times - 1), 0) AS n FROM
             (SELECT count(*) AS times FROM prediction GROUP BY node, observation, revision, model HAVING times > 1)`,
        )
        .get()!.n
      return {
        lost: [...valid].filter((key) => !seen.has(key)).length,
        duplicated: duplicated + repeatedPredictions,
      }
    },
  }
}
