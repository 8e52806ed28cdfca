/** What could not be used, with the reason, within a budget of bytes: the oldest make room, and are counted. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { Counters } from './counters.ts'

type RejectedEntry = {
  readonly topic: string
  readonly reason: string
  readonly detail: string
  readonly receivedAtMs: number
  readonly payload: Uint8Array
}

export type RejectedArrival = RejectedEntry & {
  /** The broker may have delivered it before. What is kept already is then the same message, and counted apart. */
  readonly isRepeated?: boolean
}

export type RejectedShelf = {
  /** To be called within a transaction. Counted as `rejected:<reason>`, for good. */
  readonly keep: (entry: RejectedArrival) => void
}

const HELD_BYTES = 'rejected-bytes-held'
/** An entry of an empty payload takes room too. */
const ENTRY_BYTES = 200

export const openRejectedShelf = (database: Database, counters: Counters, budgetBytes: number): RejectedShelf => {
  const insert = database.prepare<[string, string, string, Uint8Array, number]>(
    'INSERT INTO rejected (topic, reason, detail, payload, received_at_ms) VALUES (?, ?, ?, ?, ?)',
  )
  const isKept = database
    .prepare<[string, Uint8Array], 1>('SELECT 1 FROM rejected WHERE topic = ? AND payload = ? LIMIT 1')
    .pluck()
  const held = database.prepare<[], number>(`SELECT value FROM counter WHERE name = '${HELD_BYTES}'`).pluck()
  const oldest = database.prepare<[], { number: number; bytes: number }>(
    'SELECT number, length(payload) AS bytes FROM rejected ORDER BY number LIMIT 1',
  )
  const remove = database.prepare<[number]>('DELETE FROM rejected WHERE number = ?')

  const makeRoom = (): void => {
    while ((held.get() ?? 0) > budgetBytes) {
      const first = oldest.get()
      if (first === undefined) return
      remove.run(first.number)
      counters.add(HELD_BYTES, -(first.bytes + ENTRY_BYTES))
      counters.add('rejected-evicted')
    }
  }

  return {
    keep: ({ topic, reason, detail, payload, receivedAtMs, isRepeated = false }) => {
      if (isRepeated && isKept.get(topic, payload) !== undefined) {
        counters.add('rejected-repeated')
        return
      }
      insert.run(topic, reason, detail, payload, receivedAtMs)
      counters.add(`rejected:${reason}`)
      counters.add(HELD_BYTES, payload.length + ENTRY_BYTES)
      makeRoom()
    },
  }
}

type RejectedSummary = { readonly topic: string; readonly reason: string; readonly detail: string }

/** Newest first. */
export const listRejected = (database: Database, limit: number): readonly RejectedSummary[] =>
  database
    .prepare<[number], RejectedSummary>('SELECT topic, reason, detail FROM rejected ORDER BY number DESC LIMIT ?')
    .all(limit)
