/** What could not be used, with the reason, within a budget of bytes: the oldest make room, and are counted. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { Counters } from './counters.ts'

type RejectedEntry = {
  readonly topic: string
  readonly epoch: number | null
  readonly seq: number | null
  readonly reason: string
  readonly detail: string
  readonly payload: Uint8Array
}

export type Quarantine = {
  readonly keep: (entry: RejectedEntry, nowMs: number) => void
  /** Newest first. */
  readonly list: (limit: number) => readonly (RejectedEntry & { readonly receivedAtMs: number })[]
}

const HELD_BYTES = 'rejected-bytes-held'
/** An entry of an empty payload takes room too. */
const ENTRY_BYTES = 200

export const openQuarantine = (database: Database, counters: Counters, budgetBytes: number): Quarantine => {
  const insert = database.prepare(
    `INSERT INTO rejected (topic, epoch, seq, reason, detail, payload, received_at_ms)
     VALUES (@topic, @epoch, @seq, @reason, @detail, @payload, @nowMs)`,
  )
  const held = database.prepare<[], number>(`SELECT value FROM counter WHERE name = '${HELD_BYTES}'`).pluck()
  const oldest = database.prepare<[], { arrival: number; bytes: number }>(
    'SELECT arrival, length(payload) AS bytes FROM rejected ORDER BY arrival LIMIT 1',
  )
  const remove = database.prepare<[number]>('DELETE FROM rejected WHERE arrival = ?')
  const list = database.prepare<[number], RejectedEntry & { receivedAtMs: number }>(
    `SELECT topic, epoch, seq, reason, detail, payload, received_at_ms AS receivedAtMs
     FROM rejected ORDER BY arrival DESC LIMIT ?`,
  )

  const makeRoom = (): void => {
    while ((held.get() ?? 0) > budgetBytes) {
      const first = oldest.get()
      if (first === undefined) return
      remove.run(first.arrival)
      counters.add(HELD_BYTES, -(first.bytes + ENTRY_BYTES))
      counters.add('rejected-evicted')
    }
  }

  return {
    keep: (entry, nowMs) => {
      insert.run({ ...entry, nowMs })
      counters.add(`rejected:${entry.reason}`)
      counters.add(HELD_BYTES, entry.payload.length + ENTRY_BYTES)
      makeRoom()
    },
    list: (limit) => list.all(limit),
  }
}
