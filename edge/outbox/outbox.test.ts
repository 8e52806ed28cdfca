import { setTimeout as sleep } from 'node:timers/promises'
import { BehaviorSubject, Subject } from 'rxjs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { silentLog } from '#shared/platform/log.ts'
import { type Delivery, type MqttLink, MqttLinkError } from '#shared/platform/mqtt-link.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { envelopeSchema } from '#shared/wire/envelope.ts'
import { reportRow } from '#test/support/station-rows.ts'
import { packEnvelope } from './envelopes.ts'
import { countBoot, readIdentity } from './identity.ts'
import { OUTBOX_SCHEMA_SQL } from './schema.ts'
import { type OutboxSender, startOutboxSender } from './sender.ts'
import { openOutboxTable, readOutboxDepth, readOutboxSpan } from './table.ts'

let database: Database
beforeEach(() => {
  database = openDatabase(':memory:', [OUTBOX_SCHEMA_SQL])
})
afterEach(() => void database.close())

const openTable = (maxRowBytes?: number, oversized: unknown[] = []) =>
  openOutboxTable({
    database,
    bodyOfReading: (number) => JSON.stringify({ kind: 'reading', number }),
    onOversized: (row) => oversized.push(row),
    ...(maxRowBytes === undefined ? {} : { maxRowBytes }),
  })

const body = (n: number) => reportRow(n).body

test('the epoch is born with the database, and each start counts', () => {
  const first = readIdentity(database)
  expect(first.epoch).toMatch(/^[0-9a-f]{16}$/)
  expect(countBoot(database)).toEqual({ epoch: first.epoch, boot: 1 })
  expect(countBoot(database)).toEqual({ epoch: first.epoch, boot: 2 })
})

test('numbers are dense and never come back, even when all rows are gone', () => {
  const table = openTable()
  expect([1, 2, 3].map((n) => table.append(body(n), 0))).toEqual([1, 2, 3])
  expect(table.remove(3, [])).toBe(3)
  expect(table.append(body(4), 0)).toBe(4)
  expect(openTable().append(body(5), 0)).toBe(5)
  expect(() =>
    database.transaction(() => {
      table.append(body(6), 0)
      throw new Error('rolled back')
    })(),
  ).toThrow('rolled back')
  expect(table.append(body(6), 0)).toBe(6)
})

test('a receipt removes what it names and nothing else', () => {
  const table = openTable()
  for (let n = 1; n <= 10; n++) table.append(body(n), 0)
  expect(
    table.remove(2, [
      [4, 5],
      [9, 12],
    ]),
  ).toBe(6)
  expect(table.after(0, 100).map(({ seq }) => seq)).toEqual([3, 6, 7, 8])
  expect(readOutboxDepth(database)).toMatchObject({ rows: 4, oldestAtMs: 0 })
  expect(readOutboxSpan(database)).toEqual({ rows: 6, oldestAtMs: 0 })
  table.remove(8, [])
  expect(readOutboxSpan(database)).toEqual({ rows: 0, oldestAtMs: null })
})

test('a row that fits no packet is replaced by a report of the same number, and handed over', () => {
  const oversized: { seq: number; body: string }[] = []
  const table = openTable(1000, oversized)
  table.append(body(1), 0)
  const large = JSON.stringify({ kind: 'reading', pixels: 'A'.repeat(2000) })
  expect(table.appendReading({ number: 7, body: large }, 5)).toBe(2)
  expect(oversized).toEqual([{ seq: 2, what: 'reading 7', body: large }])
  const [, second] = table.after(0, 10)
  expect(JSON.parse(second!.body())).toMatchObject({ kind: 'report', topic: 'rejected', state: 'oversized-row' })
})

test('envelopes are filled up to a limit, hold at least one row and are what the cloud parses', () => {
  const table = openTable()
  for (let n = 1; n <= 5; n++) table.append(body(n), 0)
  const rows = table.after(0, 10)
  const check = (limitBytes: number, expected: number) => {
    const { payload, rows: count, lastSeq } = packEnvelope(rows, limitBytes)
    expect([count, lastSeq]).toEqual([expected, expected])
    expect(envelopeSchema.parse(JSON.parse(payload)).rows).toHaveLength(expected)
  }
  check(1, 1)
  check(rows[0]!.bytes * 3, 2)
  check(100_000, 5)
})

/** A link whose broker is this test: what is published comes here, and may get lost. */
const fakeLink = () => {
  const connected$ = new BehaviorSubject(false)
  const deliveries$ = new Subject<Delivery>()
  const published: number[][] = []
  const link = {
    isConnected: () => connected$.value,
    connected$,
    deliveries$,
    listen: async () => {},
    publish: async (_topic: string, payload: Uint8Array | string) => {
      await sleep(1)
      if (!connected$.value) throw new MqttLinkError('offline', 'not connected')
      published.push(envelopeSchema.parse(JSON.parse(String(payload))).rows.map(({ seq }) => seq))
    },
    close: async () => {},
  } satisfies MqttLink
  const receipt = (upTo: number, ranges: [number, number][] = [], epoch = 'e1') =>
    deliveries$.next({
      topic: 'receipt',
      payload: Buffer.from(JSON.stringify({ schema: 'receipt/1', epoch, upTo, ranges })),
      retained: false,
      ack: () => {},
    })
  return { link, connected$, published, receipt, sent: () => published.flat() }
}

describe('the sender', () => {
  let sender: OutboxSender | undefined
  afterEach(async () => {
    await sender?.[Symbol.asyncDispose]()
  })
  const start = (rows: number, firstRewindMs = 100_000) => {
    const table = openTable()
    for (let n = 1; n <= rows; n++) table.append(body(n), 0)
    const fake = fakeLink()
    sender = startOutboxSender({
      table,
      link: fake.link,
      epoch: 'e1',
      topic: 'up',
      receiptTopic: 'receipt',
      clock: systemClock,
      log: silentLog(),
      firstRewindMs,
    })
    return { ...fake, table, sender }
  }
  const all = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  test('waits while offline, then sends in order, at most a window ahead of the receipts', async () => {
    const { connected$, sent, receipt, table } = start(1000)
    await sleep(20)
    expect(sent()).toEqual([])
    connected$.next(true)
    await vi.waitFor(() => expect(sent()).toEqual(all(1, 256)))
    receipt(100)
    await vi.waitFor(() => expect(sent()).toEqual(all(1, 356)))
    // Rows beyond a gap make room too.
    receipt(100, [[200, 300]])
    await vi.waitFor(() => expect(sent()).toEqual(all(1, 457)))
    expect(table.lowest()).toBe(101)
  })

  test('starts again at the lowest row without progress, and after a reconnect', async () => {
    const { connected$, published, receipt, sent, sender: it } = start(3, 150)
    connected$.next(true)
    await vi.waitFor(() => expect(sent()).toEqual([1, 2, 3]))
    receipt(1)
    published.length = 0
    await vi.waitFor(() => expect(sent()).toEqual([2, 3]))
    expect(it.counts().rewinds).toBe(1)
    published.length = 0
    connected$.next(false)
    connected$.next(true)
    await vi.waitFor(() => expect(sent()).toEqual([2, 3]))
  })

  test('believes no receipt of another epoch, of rows never sent, or of no form', async () => {
    const { connected$, receipt, sent, sender: it, table } = start(0)
    connected$.next(true)
    table.append(body(1), 0)
    table.append(body(2), 0)
    receipt(2)
    expect(table.lowest()).toBe(1)
    it.wake()
    await vi.waitFor(() => expect(sent()).toEqual([1, 2]))
    receipt(2, [], 'e2')
    receipt(1, [[2, 3]])
    receipt(-1)
    expect(table.lowest()).toBe(1)
    expect(it.counts()).toMatchObject({ refusedReceipts: 4, receipts: 0 })
    receipt(2)
    expect(table.lowest()).toBeNull()
  })

  test('a receipt that a full disk refuses is no end: the rows are sent again, and the next receipt removes them', async () => {
    const { connected$, published, receipt, sent, table } = start(3, 150)
    connected$.next(true)
    await vi.waitFor(() => expect(sent()).toEqual([1, 2, 3]))
    // Like a full disk, SQLite then refuses to delete: SQLITE_FULL.
    database.exec('CREATE TABLE filler (bytes BLOB)')
    database.pragma(`max_page_count = ${database.pragma('page_count', { simple: true })}`)
    database.exec('CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN INSERT INTO filler VALUES (zeroblob(99999)); END')
    published.length = 0
    receipt(3)
    expect(table.lowest()).toBe(1)
    await vi.waitFor(() => expect(sent()).toEqual([1, 2, 3]))
    database.pragma('max_page_count = 1000000')
    receipt(3)
    expect(table.lowest()).toBeNull()
  })

  test('rows of an earlier life may be receipted before they are sent again', () => {
    const { receipt, table } = start(5)
    receipt(5)
    expect(table.lowest()).toBeNull()
  })
})
