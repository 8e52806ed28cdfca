/** A retained topic that shows the latest value: published on each change and after each reconnect, one at a time. */
import type { Log } from '#shared/platform/log.ts'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'

export type RetainedTopic = { readonly set: (value: object) => void }

export const openRetainedTopic = (link: MqttLink, topic: string, log: Log): RetainedTopic => {
  let latest: string | null = null
  let published: string | null = null
  let isBusy = false

  const publish = async (): Promise<void> => {
    if (isBusy) return
    isBusy = true
    while (latest !== null && latest !== published && link.isConnected()) {
      const text = latest
      try {
        await link.publish(topic, text, { qos: 1, retain: true })
        published = text
      } catch (cause) {
        log.debug({ topic, cause: String(cause) }, 'not published; again after the next connection')
        break
      }
    }
    isBusy = false
  }

  // The will of a lost connection has overwritten what was retained. Ends when the link is closed.
  link.connected$.subscribe((isUp) => {
    published = null
    if (isUp) void publish()
  })
  return {
    set: (value) => {
      latest = JSON.stringify(value)
      void publish()
    },
  }
}
