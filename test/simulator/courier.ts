/**
 * A sensor's memory and radio: keeps each message until it is confirmed and sends it again when no
 * confirmation comes. Messages with an id are confirmed by the receiver's `stored` message; those that
 * nobody can confirm (broken ones, repeats) are done once the broker has acknowledged them.
 */

import { type MqttLink, MqttLinkError } from '#shared/platform/mqtt-link.ts'
import type { Clock } from '#shared/std/clock.ts'
import { storedSchema } from '#shared/wire/receipt.ts'

export type Parcel = {
  readonly id: string
  readonly topic: string
  readonly payload: Uint8Array | string
  readonly until: 'stored' | 'acknowledged'
}

export type CourierCounts = {
  readonly offered: number
  /** Publications that the broker acknowledged, resends included. */
  readonly published: number
  readonly resent: number
  readonly failed: number
  readonly confirmed: number
  /** Ids in `stored` messages that were not, or no longer, kept. */
  readonly confirmedAgain: number
  /** Too large for the link; given up. */
  readonly refused: number
}

export type Courier = {
  readonly offer: (parcel: Parcel) => void
  readonly kept: () => number
  readonly counts: () => CourierCounts
  /** Forgets what is kept and closes the link. */
  readonly close: () => Promise<void>
}

export type CourierOptions = {
  readonly link: MqttLink
  /** Topics of `stored` messages. */
  readonly storedFilters: readonly string[]
  readonly resendAfterMs: number
  readonly clock: Clock
}

type Kept = { readonly parcel: Parcel; isFlying: boolean; dueAtMs: number; sendings: number }

const MOST_FLYING = 16
const RETRY_MS = 250

/** Owns the link from here on. */
export const openCourier = ({ link, storedFilters, resendAfterMs, clock }: CourierOptions): Courier => {
  const kept = new Map<string, Kept>()
  const counts = {
    offered: 0,
    published: 0,
    resent: 0,
    failed: 0,
    confirmed: 0,
    confirmedAgain: 0,
    refused: 0,
  }
  let flying = 0
  let isClosed = false

  const send = async (key: string, item: Kept): Promise<void> => {
    flying++
    item.isFlying = true
    if (item.sendings++ > 0) counts.resent++
    try {
      await link.publish(item.parcel.topic, item.parcel.payload)
      counts.published++
      item.dueAtMs = clock.monotonicMs() + resendAfterMs
      if (item.parcel.until === 'acknowledged') kept.delete(key)
    } catch (cause) {
      const isTooLarge = cause instanceof MqttLinkError && cause.code === 'oversized'
      counts[isTooLarge ? 'refused' : 'failed']++
      item.dueAtMs = clock.monotonicMs() + RETRY_MS
      if (isTooLarge) kept.delete(key)
    }
    item.isFlying = false
    flying--
    pump()
  }

  const pump = (): void => {
    const now = clock.monotonicMs()
    for (const [key, item] of kept) {
      if (isClosed || flying >= MOST_FLYING || !link.isConnected()) return
      if (!item.isFlying && item.dueAtMs <= now) void send(key, item)
    }
  }

  const confirm = (payload: Uint8Array): void => {
    const stored = storedSchema.safeParse(parseJson(payload))
    for (const id of stored.success ? stored.data.ids : []) {
      counts[kept.delete(id) ? 'confirmed' : 'confirmedAgain']++
    }
    pump()
  }

  const deliveries = link.deliveries$.subscribe(({ payload, ack }) => {
    ack()
    confirm(payload)
  })
  const connections = link.connected$.subscribe(pump)
  const timer = setInterval(pump, Math.min(RETRY_MS, resendAfterMs))
  link.listen(storedFilters).catch(() => counts.failed++) // the link listens again by itself after a reconnect
  return {
    offer: (parcel) => {
      counts.offered++
      // A repeat has the id of its first sending, which may still be kept.
      const key = parcel.until === 'stored' ? parcel.id : `${parcel.id}#${counts.offered}`
      kept.set(key, { parcel, isFlying: false, dueAtMs: 0, sendings: 0 })
      pump()
    },
    kept: () => kept.size,
    counts: () => ({ ...counts }),
    close: async () => {
      isClosed = true
      clearInterval(timer)
      deliveries.unsubscribe()
      connections.unsubscribe()
      kept.clear()
      await link.close()
    },
  }
}

const parseJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload).toString())
  } catch {
    return undefined // what is no JSON confirms nothing
  }
}
