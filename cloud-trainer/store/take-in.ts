/**
 * Takes a group of messages in, in one transaction: rows with their key, content, and the watermark of their
 * epoch. What it returns may be told to the senders, because it is on disk.
 */
import type { Database } from '#shared/platform/sqlite.ts'
import type { ArrivedRow, CloudBody, Intake } from '#shared/wire/intake.ts'
import type { Counters } from './counters.ts'
import type { Quarantine } from './quarantine.ts'
import { limitRanges, type Received, receivedOf, withRows } from './watermark.ts'
import { prepareRowWriter } from './write-rows.ts'

export type Taken = {
  /** One for each epoch that the group had rows of, repeated rows included: a lost receipt is sent again this way. */
  readonly receipts: readonly ({ readonly node: string; readonly epoch: string } & Received)[]
  readonly labels: readonly { readonly source: string; readonly ids: readonly string[] }[]
  /** Those of the new rows that are reports. */
  readonly reports: readonly TakenReport[]
  readonly newRows: number
  readonly newLabels: number
}

type TakenReport = { readonly node: string } & Extract<CloudBody, { readonly kind: 'report' }>

type Arrived = {
  readonly node: string
  readonly epoch: string
  readonly number: number
  readonly received: Received
}
type Epoch = { readonly number: number; readonly up_to: number }
type Rows = Extract<Intake, { readonly kind: 'rows' }>
type LabelIntake = Extract<Intake, { readonly kind: 'label' }>

/** As many as a receipt may carry. */
const RECEIPT_RANGES = 64
const ROWS_REJECTED_KIND = 'rejected'

type Options = { readonly database: Database; readonly counters: Counters; readonly quarantine: Quarantine }

export const prepareTakeIn = ({ database, counters, quarantine }: Options) => {
  const upsertEpoch = database.prepare<[string, string, number, number], Epoch>(
    `INSERT INTO epoch (node, name, first_seen_ms, last_seen_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING number, up_to`,
  )
  const insertKey = database.prepare<[number, number, string]>(
    'INSERT INTO row (epoch, seq, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const seqsAbove = database
    .prepare<[number, number], number>('SELECT seq FROM row WHERE epoch = ? AND seq > ? ORDER BY seq')
    .pluck()
  const moveWatermark = database.prepare<[number, number]>('UPDATE epoch SET up_to = ? WHERE number = ?')
  const insertLabel = database.prepare<[string, string, string, string, string, string, number]>(
    `INSERT INTO label (source, id, observation, present, absent, said_by, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  )
  const writeRow = prepareRowWriter(database)

  const takeRow = (node: string, epoch: number, topic: string, row: ArrivedRow, nowMs: number): boolean => {
    const { seq } = row
    const { changes } = insertKey.run(epoch, seq, row.ok ? row.body.kind : ROWS_REJECTED_KIND)
    if (changes === 0) return false
    if (row.ok) writeRow({ node, epoch, seq }, row.body, nowMs)
    else quarantine.keep({ topic, epoch, seq, ...row.fault }, nowMs)
    return true
  }

  const takeRows = ({ node, epoch, rows }: Rows, number: number, nowMs: number): readonly ArrivedRow[] => {
    const topic = `${node}/${epoch}`
    const fresh = rows.filter((row) => takeRow(node, number, topic, row, nowMs))
    counters.add('rows', fresh.length)
    counters.add('rows-repeated', rows.length - fresh.length)
    return fresh
  }

  const takeLabel = ({ source, label }: LabelIntake, nowMs: number): number => {
    const { id, observation, present, absent, by } = label
    const { changes } = insertLabel.run(
      source,
      id,
      observation,
      JSON.stringify(present),
      JSON.stringify(absent),
      by,
      nowMs,
    )
    counters.add(changes === 0 ? 'labels-repeated' : 'labels')
    return changes
  }

  /** By epoch, as committed. Read from the rows once. */
  const committed = new Map<number, Received>()

  const advance = ({ number, up_to }: Epoch, seqs: readonly number[]): Received => {
    const before = committed.get(number) ?? receivedOf(up_to, seqsAbove.iterate(number, up_to))
    const received = withRows(before, seqs)
    if (received.upTo > up_to) moveWatermark.run(received.upTo, number)
    return received
  }

  const takeIn = (
    group: readonly Intake[],
    nowMs: number,
  ): Omit<Taken, 'receipts'> & { arrived: readonly Arrived[] } => {
    const epochs = new Map<string, { node: string; epoch: string; row: Epoch; seqs: number[] }>()
    const labels = new Map<string, string[]>()
    const reports: TakenReport[] = []
    let newRows = 0
    let newLabels = 0
    for (const intake of group) {
      if (intake.kind === 'rows') {
        const { node, epoch } = intake
        const key = `${node}/${epoch}`
        const known = epochs.get(key) ?? { node, epoch, row: upsertEpoch.get(node, epoch, nowMs, nowMs)!, seqs: [] }
        epochs.set(key, known)
        const fresh = takeRows(intake, known.row.number, nowMs)
        newRows += fresh.length
        for (const { seq } of fresh) known.seqs.push(seq)
        for (const row of fresh) if (row.ok && row.body.kind === 'report') reports.push({ node, ...row.body })
      } else if (intake.kind === 'label') {
        newLabels += takeLabel(intake, nowMs)
        labels.set(intake.source, [...(labels.get(intake.source) ?? []), intake.label.id])
      } else {
        quarantine.keep({ topic: intake.topic, epoch: null, seq: null, ...intake.fault }, nowMs)
      }
    }
    return {
      arrived: [...epochs.values()].map(({ node, epoch, row, seqs }) => ({
        node,
        epoch,
        number: row.number,
        received: advance(row, seqs),
      })),
      labels: [...labels].map(([source, ids]) => ({ source, ids })),
      reports,
      newRows,
      newLabels,
    }
  }

  const transaction = database.transaction(takeIn).immediate
  return (group: readonly Intake[], nowMs: number): Taken => {
    const { arrived, ...taken } = transaction(group, nowMs)
    for (const { number, received } of arrived) committed.set(number, received)
    const receipts = arrived.map(({ node, epoch, received }) => ({
      node,
      epoch,
      ...limitRanges(received, RECEIPT_RANGES),
    }))
    return { ...taken, receipts }
  }
}
