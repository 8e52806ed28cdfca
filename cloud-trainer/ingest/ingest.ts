/**
 * Takes in what stations and labellers send: store, then receipt and PUBACK. A message is never acknowledged
 * before its rows are on disk, and the station deletes only what a receipt names, so a crash anywhere costs
 * repetitions and no data.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '#shared/platform/log.ts'
import type { Delivery, MqttLink } from '#shared/platform/mqtt-link.ts'
import { isPassingFailure } from '#shared/platform/sqlite.ts'
import type { Clock } from '#shared/std/clock.ts'
import { createGrouping } from '#shared/streams/grouping.ts'
import type { WireBody } from '#shared/wire/envelope.ts'
import { type Intake, parseIntake } from '#shared/wire/intake.ts'
import type { Receipt } from '#shared/wire/receipt.ts'
import type { cloudTopics } from '#shared/wire/topics.ts'
import { createReceiptSender } from './receipts.ts'

/** What was stored, as far as senders and watchers must know. */
export type Taken = {
  readonly receipts: readonly ({ readonly node: string } & Omit<Receipt, 'schema' | 'ranges'> & {
      readonly ranges: readonly (readonly [number, number])[]
    })[]
  readonly labels: readonly { readonly source: string; readonly ids: readonly string[] }[]
  readonly reports: readonly ({ readonly node: string } & Extract<WireBody, { readonly kind: 'report' }>)[]
  readonly newRows: number
  readonly newLabels: number
}

export type IngestOptions = {
  readonly link: MqttLink
  readonly topics: ReturnType<typeof cloudTopics>
  /** One durable transaction; throws when nothing was stored, and may be repeated. */
  readonly takeIn: (group: readonly Intake[], nowMs: number) => Taken
  readonly clock: Clock
  readonly log: Log
  readonly onTaken?: (taken: Taken) => void
  /** Called once when storing fails in a way that waiting won't mend. */
  readonly onBroken: (cause: unknown) => void
  readonly firstRetryMs?: number
}

export type Ingest = AsyncDisposable & {
  readonly counts: () => { readonly groups: number; readonly messages: number; readonly overflowed: number }
}

const LARGEST_GROUP = 64
/** Far above a broker's window of unacknowledged messages; reached only when storing stalls and nobody holds back. */
const CAPACITY = 1024
const LONGEST_RETRY_MS = 5000
/** How long a stop waits for storing that fails at present. */
const LAST_CHANCE_MS = 1000

type Arrival = { readonly delivery: Delivery; readonly intake: Intake }

export const startIngest = ({ link, topics, takeIn, clock, log, ...options }: IngestOptions): Ingest => {
  const sender = createReceiptSender(link, topics, log)
  const stopping = new AbortController()
  let groups = 0
  let messages = 0
  let overflowed = 0

  const store = async (group: readonly Intake[]): Promise<Taken | null> => {
    for (let waitMs = options.firstRetryMs ?? 100; ; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
      try {
        return takeIn(group, clock.nowMs())
      } catch (cause) {
        if (!isPassingFailure(cause)) {
          log.error({ cause: String(cause) }, 'storing is broken; nothing more is acknowledged')
          stopping.abort()
          options.onBroken(cause)
          return null
        }
        log.warn({ cause: String(cause), waitMs }, 'not stored; trying again')
        await delay(waitMs, null, { signal: stopping.signal }).catch(() => {}) // an abort is seen below
        if (stopping.signal.aborted) return null
      }
    }
  }

  const handle = async (group: readonly Arrival[]): Promise<void> => {
    if (stopping.signal.aborted) return
    const taken = await store(group.map(({ intake }) => intake))
    if (taken === null) return // unacknowledged, so all of it comes again
    for (const { node, epoch, upTo, ranges } of taken.receipts) {
      sender.receipt(node, { schema: 'receipt/1', epoch, upTo, ranges: ranges.map(([a, b]) => [a, b]) })
    }
    for (const { source, ids } of taken.labels) sender.stored(source, ids)
    for (const { delivery } of group) delivery.ack()
    groups++
    messages += group.length
    options.onTaken?.(taken)
  }

  const grouping = createGrouping({ largest: LARGEST_GROUP, capacity: CAPACITY, handle })
  const deliveries = link.deliveries$.subscribe((delivery) => {
    const intake = parseIntake(delivery.topic, delivery.payload)
    if (intake !== null && !grouping.add({ delivery, intake })) overflowed++
  })
  link
    .listen([topics.upFilter, topics.labelsFilter], 1)
    .catch((cause) => log.warn({ cause: String(cause) }, 'ingest could not subscribe'))

  return {
    counts: () => ({ groups, messages, overflowed }),
    [Symbol.asyncDispose]: async () => {
      deliveries.unsubscribe()
      // What has arrived is stored if that works at once; a retry isn't waited for.
      const closed = grouping.close()
      await Promise.race([closed, delay(LAST_CHANCE_MS, null, { ref: false })])
      stopping.abort()
      await closed
      await sender.settled()
    },
  }
}
