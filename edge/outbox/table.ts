/** What goes up to the cloud, in order. Rows are added by the station's transactions and removed by receipts alone. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { WireBody } from '#shared/wire/envelope.ts'

/** A row that fits into a packet beside its envelope and topic. */
const MAX_ROW_BYTES = 130_000

export type OutboxRow = {
  readonly seq: number
  readonly bytes: number
  /** Read when it is needed: a window of pictures is megabytes. */
  readonly body: () => string
}

type Oversized = { readonly seq: number; readonly what: string; readonly body: string }

export type OutboxTable = {
  /** To be called within a transaction. Gives the row's number. */
  readonly append: (body: WireBody, nowMs: number) => number
  /** The same for a reading that is stored with this wire JSON; the row only refers to it. */
  readonly appendReading: (reading: { readonly number: number; readonly body: string }, nowMs: number) => number
  /** Rows above `seq`, lowest first. */
  readonly after: (seq: number, limit: number) => readonly OutboxRow[]
  readonly lowest: () => number | null
  /** The highest number ever given; 0 when none was. */
  readonly lastSeq: () => number
  readonly countUpTo: (seq: number) => number
  /** One transaction, which `alongside` may use; gives the number of rows that went. */
  readonly remove: (upTo: number, ranges: readonly (readonly [number, number])[], alongside?: () => void) => number
}

type Options = {
  readonly database: Database
  readonly bodyOfReading: (number: number) => string
  /** Called within the transaction that appends: a report takes the row's place, and its content must be kept here. */
  readonly onOversized: (row: Oversized, nowMs: number) => void
  readonly maxRowBytes?: number
}

type StoredRow = { seq: number; reading: number | null; body: string | null; bytes: number }

export const openOutboxTable = ({ database, bodyOfReading, onOversized, maxRowBytes = MAX_ROW_BYTES }: Options) => {
  const takeSeq = database
    .prepare<[], number>('UPDATE identity SET next_seq = next_seq + 1 RETURNING next_seq - 1')
    .pluck()
  const lastSeq = database.prepare<[], number>('SELECT next_seq - 1 FROM identity').pluck()
  const insert = database.prepare<[number, number | null, string | null, number, number]>(
    'INSERT INTO outbox (seq, reading, body, bytes, created_at_ms) VALUES (?, ?, ?, ?, ?)',
  )
  const after = database.prepare<[number, number], StoredRow>(
    'SELECT seq, reading, body, bytes FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?',
  )
  const lowest = database.prepare<[], number | null>('SELECT min(seq) FROM outbox').pluck()
  const countUpTo = database.prepare<[number], number>('SELECT count(*) FROM outbox WHERE seq <= ?').pluck()
  const remove = database.prepare<[number, number]>('DELETE FROM outbox WHERE seq BETWEEN ? AND ?')

  const add = (body: string, reading: number | null, what: () => string, nowMs: number): number => {
    const seq = takeSeq.get()!
    const bytes = Buffer.byteLength(body)
    if (bytes <= maxRowBytes) insert.run(seq, reading, reading === null ? body : null, bytes, nowMs)
    else {
      onOversized({ seq, what: what(), body }, nowMs)
      const report = JSON.stringify(oversizedReport(what(), bytes, nowMs))
      insert.run(seq, null, report, Buffer.byteLength(report), nowMs)
    }
    return seq
  }

  const table: OutboxTable = {
    append: (body, nowMs) => add(JSON.stringify(body), null, () => describe(body), nowMs),
    appendReading: ({ number, body }, nowMs) => add(body, number, () => `reading ${number}`, nowMs),
    after: (seq, limit) =>
      after.all(seq, limit).map(({ seq, bytes, body, reading }) => ({
        seq,
        bytes,
        body: () => body ?? bodyOfReading(reading!),
      })),
    lowest: () => lowest.get() ?? null,
    lastSeq: () => lastSeq.get()!,
    countUpTo: (seq) => countUpTo.get(seq)!,
    remove: database.transaction(
      (upTo: number, ranges: readonly (readonly [number, number])[], alongside?: () => void) => {
        alongside?.()
        return [[0, upTo] as const, ...ranges].reduce((sum, [first, last]) => sum + remove.run(first, last).changes, 0)
      },
    ),
  }
  return table
}

const describe = (body: WireBody): string => {
  switch (body.kind) {
    case 'reading':
      return `reading ${body.sensor} ${body.id}`
    case 'observation':
      return `observation ${body.id} revision ${body.revision}`
    case 'prediction':
      return `prediction ${body.observation} revision ${body.revision}`
    case 'report':
      return `report ${body.topic}`
  }
}

const oversizedReport = (what: string, bytes: number, nowMs: number): WireBody => ({
  kind: 'report',
  atMs: nowMs,
  topic: 'rejected',
  state: 'oversized-row',
  detail: `${what}: ${bytes} bytes do not fit into a packet; kept at the station`,
  model: null,
  generation: null,
})

export type OutboxDepth = { readonly rows: number; readonly bytes: number; readonly oldestAtMs: number | null }

/** Without counting: the span of numbers, which a gap left by a receipt makes larger than the rows. */
export const readOutboxSpan = (database: Database): Omit<OutboxDepth, 'bytes'> =>
  database
    .prepare<[], Omit<OutboxDepth, 'bytes'>>(
      `SELECT coalesce((SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1, 0) AS rows,
         (SELECT created_at_ms FROM outbox ORDER BY seq LIMIT 1) AS oldestAtMs`,
    )
    .get()!

/** Reads the whole table: not for the station's own loop. */
export const readOutboxDepth = (database: Database): OutboxDepth =>
  database
    .prepare<[], OutboxDepth>(
      `SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes,
         (SELECT created_at_ms FROM outbox ORDER BY seq LIMIT 1) AS oldestAtMs FROM outbox`,
    )
    .get()!
