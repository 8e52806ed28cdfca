/**
 * Drains the outbox to the cloud. Rows leave in order, a bounded number ahead of the cloud's receipts; PUBACKs only
 * pace. A row is removed by a receipt and by nothing else. Without progress everything starts again at the lowest
 * row, so a lost message or receipt costs repetitions only.
 */
import { filter } from 'rxjs'
import type { Log } from '#shared/platform/log.ts'
import { type Delivery, type MqttLink, MqttLinkError } from '#shared/platform/mqtt-link.ts'
import { isPassingFailure } from '#shared/platform/sqlite.ts'
import type { Clock } from '#shared/std/clock.ts'
import { type Receipt, receiptSchema } from '#shared/wire/receipt.ts'
import { packEnvelope } from './envelopes.ts'
import type { OutboxTable } from './table.ts'

type SenderCounts = {
  /** Rows in envelopes that the broker has acknowledged, repetitions included, and the envelopes' bytes. */
  readonly rows: number
  readonly bytes: number
  readonly rewinds: number
  readonly receipts: number
  /** Receipts of another epoch's rows, of rows never sent, or of no known form. */
  readonly refusedReceipts: number
}

export type OutboxSender = AsyncDisposable & {
  /** Rows were added. */
  readonly wake: () => void
  readonly counts: () => SenderCounts
}

export type SenderOptions = {
  readonly table: OutboxTable
  readonly link: MqttLink
  readonly epoch: string
  readonly topic: string
  readonly receiptTopic: string
  readonly clock: Clock
  readonly log: Log
  /** Within the transaction that removes rows: what was sent since the last one, repetitions included. */
  readonly onSent?: (rows: number, bytes: number) => void
  /** `removed` rows are gone from the outbox. */
  readonly onReceipt?: (receipt: Receipt, removed: number) => void
  readonly firstRewindMs?: number
}

/** Rows without a receipt, and envelopes without a PUBACK (mosquitto's default window is 20). */
const MOST_UNRECEIPTED = 256
const MOST_PUBLISHING = 16
/** A cloud that is away while its broker is up gets the window again ever more rarely. */
const LONGEST_REWIND_MS = 30_000
const CHECK_MS = 100

export const startOutboxSender = (options: SenderOptions): OutboxSender => {
  const { table, link, epoch, topic, receiptTopic, clock, log, firstRewindMs = 1500 } = options
  /** Highest row handed to the link since the last rewind. */
  let cursor = 0
  /** Rows up to the cursor that still lie in the outbox. */
  let unreceipted = 0
  /** What an earlier life of this station left may have been sent by it. */
  let highestSent = table.lastSeq()
  let publishing = 0
  let rewindMs = firstRewindMs
  let lastProgressMs = clock.monotonicMs()
  let isStopped = false
  let accounted = { rows: 0, bytes: 0 }
  const counts = { rows: 0, bytes: 0, rewinds: 0, receipts: 0, refusedReceipts: 0 }

  const pump = (): void => {
    while (!isStopped && link.isConnected() && publishing < MOST_PUBLISHING && unreceipted < MOST_UNRECEIPTED) {
      const rows = table.after(cursor, MOST_UNRECEIPTED - unreceipted)
      if (rows.length === 0) return
      if (unreceipted === 0) lastProgressMs = clock.monotonicMs()
      const envelope = packEnvelope(rows)
      cursor = envelope.lastSeq
      unreceipted += envelope.rows
      highestSent = Math.max(highestSent, cursor)
      void send(envelope.payload, envelope.rows)
    }
  }

  const send = async (payload: string, rows: number): Promise<void> => {
    publishing++
    try {
      await link.publish(topic, payload, { qos: 1 })
      counts.rows += rows
      counts.bytes += Buffer.byteLength(payload)
    } catch (cause) {
      // Nothing to do: a broken link and a missing receipt both end in a rewind.
      const isOffline = cause instanceof MqttLinkError && cause.code !== 'oversized'
      log[isOffline ? 'debug' : 'error']({ cause: String(cause) }, 'envelope not sent')
    }
    publishing--
    pump()
  }

  const rewind = (): void => {
    cursor = (table.lowest() ?? table.lastSeq() + 1) - 1
    unreceipted = 0
    lastProgressMs = clock.monotonicMs()
    pump()
  }

  const check = (): void => {
    if (!link.isConnected() || clock.monotonicMs() - lastProgressMs < rewindMs) return
    if (unreceipted > 0) {
      counts.rewinds++
      rewindMs = Math.min(rewindMs * 2, LONGEST_REWIND_MS)
    }
    rewind()
  }

  const onReceipt = (receipt: Receipt): void => {
    const before = table.lowest()
    const { rows, bytes } = counts
    const removed = table.remove(receipt.upTo, receipt.ranges, () =>
      options.onSent?.(rows - accounted.rows, bytes - accounted.bytes),
    )
    accounted = { rows, bytes }
    counts.receipts++
    unreceipted = table.countUpTo(cursor)
    if (table.lowest() !== before) {
      lastProgressMs = clock.monotonicMs()
      rewindMs = firstRewindMs
    }
    options.onReceipt?.(receipt, removed)
    pump()
  }

  /** A full disk can't even delete. The rows are then sent once more, and the cloud says again that it has them. */
  const onReceiptSafely = (receipt: Receipt): void => {
    try {
      onReceipt(receipt)
    } catch (cause) {
      if (!isPassingFailure(cause)) throw cause
      log.warn({ cause: String(cause) }, 'a receipt could not be applied yet')
    }
  }

  const take = ({ payload, ack }: Delivery): void => {
    const receipt = parseReceipt(payload)
    const wrong = receipt === null ? 'no receipt/1' : whyRefused(receipt, epoch, highestSent)
    if (receipt !== null && wrong === null) onReceiptSafely(receipt)
    else {
      counts.refusedReceipts++
      log.warn({ wrong }, 'receipt refused')
    }
    ack()
  }

  const deliveries = link.deliveries$.pipe(filter((delivery) => delivery.topic === receiptTopic)).subscribe(take)
  const connections = link.connected$.pipe(filter((isUp) => isUp)).subscribe(() => {
    rewindMs = firstRewindMs
    rewind()
  })
  const timer = setInterval(check, CHECK_MS)
  link
    .listen([receiptTopic], 1)
    .catch((cause) => log.warn({ cause: String(cause) }, 'the outbox could not listen for receipts'))

  return {
    wake: pump,
    counts: () => ({ ...counts }),
    [Symbol.asyncDispose]: async () => {
      isStopped = true
      clearInterval(timer)
      deliveries.unsubscribe()
      connections.unsubscribe()
    },
  }
}

const parseReceipt = (payload: Uint8Array): Receipt | null => {
  try {
    return receiptSchema.parse(JSON.parse(Buffer.from(payload).toString()))
  } catch {
    return null // whoever sent this is told by the counter; the rows stay
  }
}

/** A receipt for what was never sent would remove rows that nobody has. */
const whyRefused = (receipt: Receipt, epoch: string, highestSent: number): string | null => {
  if (receipt.epoch !== epoch) return `epoch ${receipt.epoch} is not this one`
  const claimed = receipt.ranges.reduce((most, [, last]) => Math.max(most, last), receipt.upTo)
  return claimed > highestSent ? `row ${claimed} was never sent; the highest is ${highestSent}` : null
}
