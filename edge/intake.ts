/**
 * Deliveries become stored readings: parsed, media synced, one commit for a group, then the acknowledgements. What
 * fails to be stored stays unacknowledged, and the broker holds back more. Groups form without a timer.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Observable } from 'rxjs'
import type { Reading } from '#shared/domain/reading.ts'
import type { Log } from '#shared/platform/log.ts'
import type { Delivery } from '#shared/platform/mqtt-link.ts'
import { isPassingFailure } from '#shared/platform/sqlite.ts'
import type { Clock } from '#shared/std/clock.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { createGrouping } from '#shared/streams/grouping.ts'
import type { StoredGroup } from './pipeline.ts'
import type { ParsedReading, ReadingParser } from './readings/parse-message.ts'
import type { MediaFile, MediaFolder } from './spool/media-folder.ts'
import type { RejectedArrival } from './spool/rejected.ts'

export type IntakeOptions = {
  readonly source$: Observable<Delivery>
  readonly parse: ReadingParser
  readonly media: MediaFolder
  /** One durable transaction; throws when nothing was stored, and may be repeated. */
  readonly store: (group: readonly Result<Reading, RejectedArrival>[], nowMs: number) => StoredGroup
  /** After the commit and the acknowledgements. */
  readonly onStored: (stored: StoredGroup, rejected: readonly RejectedArrival[]) => void
  /** Called once, when storing fails in a way that waiting won't mend or the source is gone. */
  readonly onBroken: (cause: unknown) => void
  readonly clock: Clock
  readonly log: Log
  readonly firstRetryMs?: number
}

export type Intake = AsyncDisposable & {
  /** Deliveries that found no room; unacknowledged, so they come again. */
  readonly overflowed: () => number
}

const LARGEST_GROUP = 64
/** Reached only when storing stalls under a broker that does not hold back. */
const CAPACITY = 4096
const CAPACITY_BYTES = 128 << 20
const LONGEST_RETRY_MS = 5000
/** How long a stop waits for storing that fails at present. */
const LAST_CHANCE_MS = 1000

type Parsed = Result<ParsedReading, RejectedArrival>

export const startIntake = (options: IntakeOptions): Intake => {
  const { source$, parse, media, store, onStored, onBroken, clock, log } = options
  const stopping = new AbortController()
  let overflowed = 0
  let waitingBytes = 0

  const breakDown = (cause: unknown): void => {
    if (stopping.signal.aborted) return
    log.error({ cause: String(cause) }, 'the intake is broken; nothing more is acknowledged')
    stopping.abort()
    onBroken(cause)
  }

  /** Null: stopped before it was stored. */
  const persist = async (parsed: readonly Parsed[]): Promise<StoredGroup | null> => {
    const readings = parsed.map((result) => (result.ok ? ok(result.value.reading) : result))
    for (let waitMs = options.firstRetryMs ?? 100; ; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
      try {
        await media.keep(parsed.flatMap(mediaOf))
        return store(readings, clock.nowMs())
      } catch (cause) {
        if (!isPassingFailure(cause)) throw cause
        log.warn({ cause: String(cause), waitMs }, 'not stored; trying again')
        await delay(waitMs, null, { signal: stopping.signal }).catch(() => {}) // an abort is seen below
        if (stopping.signal.aborted) return null
      }
    }
  }

  const parseDelivery = async ({ topic, payload, isRepeated = false }: Delivery): Promise<Parsed> => {
    const parsed = await parse(topic, payload)
    return parsed.ok ? parsed : err({ ...parsed.error, isRepeated })
  }

  /** Sound is computed on this thread, up to a second for a message: each one has a turn of the event loop. */
  const parseInTurns = (group: readonly Delivery[]): Promise<readonly Parsed[]> => {
    let turn: Promise<unknown> = Promise.resolve()
    const inTurn = (delivery: Delivery): Promise<Parsed> => {
      const mine = turn
      turn = turn.then(() => new Promise((resolve) => setImmediate(resolve)))
      return mine.then(() => parseDelivery(delivery))
    }
    return Promise.all(group.map(inTurn))
  }

  const handle = async (group: readonly Delivery[]): Promise<void> => {
    if (stopping.signal.aborted) return
    try {
      const parsed = await parseInTurns(group)
      const stored = await persist(parsed)
      if (stored === null) return
      for (const { ack, payload } of group) {
        ack()
        waitingBytes -= payload.length
      }
      onStored(
        stored,
        parsed.flatMap((result) => (result.ok ? [] : [result.error])),
      )
    } catch (cause) {
      breakDown(cause)
    }
  }

  const grouping = createGrouping({ largest: LARGEST_GROUP, capacity: CAPACITY, handle })
  const take = (delivery: Delivery): void => {
    const { length } = delivery.payload
    if (waitingBytes + length > CAPACITY_BYTES || !grouping.add(delivery)) overflowed++
    else waitingBytes += length
  }
  const subscription = source$.subscribe({
    next: take,
    error: breakDown,
    complete: () => log.debug({}, 'the source has ended'),
  })

  return {
    overflowed: () => overflowed,
    [Symbol.asyncDispose]: async () => {
      subscription.unsubscribe()
      // What has arrived is stored if that works at once; a retry isn't waited for.
      const closed = grouping.close()
      await Promise.race([closed, delay(LAST_CHANCE_MS, null, { ref: false })])
      stopping.abort()
      await closed
    },
  }
}

const mediaOf = (result: Parsed): readonly MediaFile[] => {
  if (!result.ok) return []
  const { reading, media } = result.value
  return media === null || reading.media === null ? [] : [{ sha256: reading.media.sha256, bytes: media }]
}
