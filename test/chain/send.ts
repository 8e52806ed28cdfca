/** Sends rounds of messages as sensors do: each is kept until the station says that it is durable, and sent again if not. */
import { setTimeout as delay } from 'node:timers/promises'
import { silentLog } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { stationTopics } from '#shared/wire/topics.ts'
import { openCourier } from '#test/simulator/courier.ts'
import type { PlannedMessage } from './plan.ts'
import { NODE, PREFIX, SITE } from './station-file.ts'

export type SendOptions = {
  readonly broker: string
  /** Made one by one: a full run is too large to hold as text. */
  readonly rounds: Iterable<readonly PlannedMessage[]>
  readonly onSent: (messages: number) => void
  readonly signal: AbortSignal
}

export type Sent = { readonly messages: number; readonly resent: number }

/** Messages that the station has not confirmed; the broker holds more than that for it. */
const MOST_KEPT = 500
const RESEND_AFTER_MS = 10_000
/** Without any confirmation for so long the station is taken for broken. */
const SILENCE_MS = 60_000
const CHECK_MS = 2

/** Resolves when every reading is confirmed. */
export const sendRounds = async ({ broker, rounds, onSent, signal }: SendOptions): Promise<Sent> => {
  const topics = stationTopics(PREFIX, SITE, NODE)
  const link = openMqttLink({ url: broker, clientId: 'chain-sensors', log: silentLog(), maxPacketBytes: 1 << 20 })
  const courier = openCourier({
    link,
    storedFilters: [topics.storedFilter],
    resendAfterMs: RESEND_AFTER_MS,
    clock: systemClock,
  })
  const until = async (holds: () => boolean): Promise<void> => {
    let confirmed = -1
    let sinceMs = performance.now()
    while (!holds()) {
      await delay(CHECK_MS, undefined, { signal })
      const counts = courier.counts()
      if (counts.confirmed !== confirmed) {
        confirmed = counts.confirmed
        sinceMs = performance.now()
      } else if (performance.now() - sinceMs > SILENCE_MS) {
        throw new Error(`the station has confirmed nothing for ${SILENCE_MS / 1000} s: ${JSON.stringify(counts)}`)
      }
    }
  }
  try {
    let messages = 0
    for (const round of rounds) {
      for (const { sensor, message } of round) {
        if (courier.kept() >= MOST_KEPT) await until(() => courier.kept() < MOST_KEPT / 2)
        signal.throwIfAborted()
        const payload = JSON.stringify(message)
        courier.offer({ id: message.id, topic: topics.observation(sensor), payload, until: 'stored' })
        onSent(++messages)
      }
      // The next hour begins when this one is over.
      await until(() => courier.kept() === 0)
    }
    return { messages, resent: courier.counts().resent }
  } finally {
    await courier.close()
  }
}
