/** The station's intake: what sensors and adapters publish on its own broker. */
import { defer, endWith, filter, ignoreElements, merge, type Observable, takeUntil } from 'rxjs'
import type { Delivery, MqttLink } from '#shared/platform/mqtt-link.ts'
import { isIntakeOf, stationTopics } from '#shared/wire/topics.ts'

export type MqttSourceOptions = {
  /** To the station's broker; may have other subscriptions, whose deliveries stay out of this source. */
  readonly link: MqttLink
  readonly prefix: string
  readonly site: string
  readonly node: string
}

/**
 * Every delivery on this station's intake topics, in the order of arrival, and on those of a prefix or site that it
 * had before: the broker's session still holds that subscription, and without an acknowledgement its messages would
 * stop all others. Whoever has stored what came
 * calls its `ack`, in the same order. The broker holds back what exceeds its window of unacknowledged
 * messages, but mosquitto 2.0.11 sends a whole window more for each acknowledgement: the receiver bounds
 * what waits by itself too, and what it lets go unacknowledged comes again after a reconnect.
 * Cold: listens on subscription. Completes when the link is closed; fails when the broker refuses to listen.
 */
export const mqttSource = ({ link, prefix, site, node }: MqttSourceOptions): Observable<Delivery> => {
  const { observationFilter } = stationTopics(prefix, site, node)
  const isIntake = ({ topic }: Delivery): boolean => isIntakeOf(node, topic)
  const closed$ = link.deliveries$.pipe(ignoreElements(), endWith(true))
  return merge(
    link.deliveries$.pipe(filter(isIntake)),
    // A link that never came up leaves its promise open.
    defer(() => link.listen([observationFilter])).pipe(ignoreElements(), takeUntil(closed$)),
  )
}
