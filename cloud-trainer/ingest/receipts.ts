/**
 * Tells senders what is stored. At most one message of each kind is under way to a receiver; meanwhile newer
 * receipts replace the waiting one and ids of labels gather. A receipt that gets lost costs a repetition only.
 */
import type { Log } from '#shared/platform/log.ts'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'
import type { Receipt } from '#shared/wire/receipt.ts'
import type { cloudTopics } from '#shared/wire/topics.ts'

type Topics = Pick<ReturnType<typeof cloudTopics>, 'receipt' | 'labelsStored'>

export type ReceiptSender = {
  readonly receipt: (node: string, receipt: Receipt) => void
  readonly stored: (source: string, ids: readonly string[]) => void
  /** Resolves when nothing is under way. */
  readonly settled: () => Promise<void>
}

/** Ids have at most 128 characters: a message stays below 128 KB. */
const IDS_PER_MESSAGE = 500
/** Ids waiting for a source that can't be told. The source sends those labels again, and hears of them then. */
const WAITING_IDS = 5000

export const createReceiptSender = (
  link: Pick<MqttLink, 'publish' | 'isConnected'>,
  topics: Topics,
  log: Log,
): ReceiptSender => {
  const busy = new Map<string, Promise<void>>()
  const waitingReceipts = new Map<string, Receipt>()
  const waitingIds = new Map<string, Set<string>>()

  /** Sends what `next` gives, until it gives nothing or the link is down. */
  const drain = (key: string, topic: string, next: () => object | null): void => {
    if (busy.has(key)) return
    const run = async (): Promise<void> => {
      for (let message = next(); message !== null; message = next()) {
        try {
          await link.publish(topic, JSON.stringify(message), { qos: 1 })
        } catch (cause) {
          log.debug({ topic, cause: String(cause) }, 'not told; the sender will repeat and hear of it then')
        }
      }
    }
    const done = run().finally(() => busy.delete(key))
    busy.set(key, done)
  }

  return {
    receipt: (node, receipt) => {
      const key = `${node}/${receipt.epoch}`
      waitingReceipts.set(key, receipt)
      drain(`receipt ${key}`, topics.receipt(node), () => {
        const waiting = waitingReceipts.get(key) ?? null
        waitingReceipts.delete(key)
        return waiting
      })
    },
    stored: (source, ids) => {
      const waiting = waitingIds.get(source) ?? new Set()
      waitingIds.set(source, waiting)
      for (const id of ids) if (waiting.size < WAITING_IDS) waiting.add(id)
      drain(`labels ${source}`, topics.labelsStored(source), () => {
        const some = [...waiting].slice(0, IDS_PER_MESSAGE)
        for (const id of some) waiting.delete(id)
        return some.length === 0 ? null : { schema: 'stored/1', ids: some }
      })
    },
    settled: async () => {
      while (busy.size > 0) await Promise.all(busy.values())
    },
  }
}
