/**
 * Tells the cohorts which model to run and hands out its files. In this form of rollout everyone in a cohort is
 * asked at once; a cohort of one station is how a model is tried first.
 */
import { filter, interval, merge } from 'rxjs'
import type { Signer } from '#shared/bundle/keys.ts'
import type { Log } from '#shared/platform/log.ts'
import type { Delivery, MqttLink } from '#shared/platform/mqtt-link.ts'
import type { DesiredState } from '#shared/wire/desired.ts'
import { type cloudTopics, parseBlobRequestTopic } from '#shared/wire/topics.ts'
import { type Blobs, createBlobServer } from './blob-server.ts'
import { openDesiredStates, type SignedState, type Target } from './desired-states.ts'

export type RolloutOptions = {
  readonly link: MqttLink
  readonly topics: ReturnType<typeof cloudTopics>
  /** Where the last desired states are kept. */
  readonly folder: string
  readonly director: Signer
  /** The registry. */
  readonly blobs: Blobs
  readonly log: Log
  /** What this cloud looks after; a state decided earlier for one of these is published again at the start. */
  readonly watched: readonly { readonly cohort: string; readonly family: string }[]
  /** Retained messages get lost with brokers: all states are published again this often. */
  readonly repeatMs?: number
}

export type Rollout = AsyncDisposable & {
  /** Resolves once the new state is written down; it is then published as soon as the broker is there. */
  readonly target: (target: Target) => Promise<DesiredState>
  readonly counts: () => { readonly unitsSent: number; readonly refused: number; readonly dropped: number }
}

const HOUR_MS = 3_600_000

export const startRollout = async (options: RolloutOptions): Promise<Rollout> => {
  const { link, topics, log, repeatMs = HOUR_MS } = options
  const states = openDesiredStates(options.folder, options.director)
  const current = new Map<string, SignedState>()
  const server = createBlobServer({ link, blobs: options.blobs, responseTopic: topics.blobResponse, log })
  const topicOf = ({ cohort, family }: { readonly cohort: string; readonly family: string }) =>
    topics.desired(cohort, family)

  for (const watched of options.watched) {
    const state = await states.read(watched.cohort, watched.family)
    if (state !== null) current.set(topicOf(watched), state)
  }

  const publish = async ([topic, { bytes, state }]: readonly [string, SignedState]): Promise<void> => {
    try {
      await link.publish(topic, bytes, { qos: 1, retain: true })
    } catch (cause) {
      // The next connection publishes all states again.
      log.debug({ topic, generation: state.generation, cause: String(cause) }, 'desired state not published yet')
    }
  }
  const publishAll = async (): Promise<void> => {
    if (link.isConnected()) for (const entry of current) await publish(entry)
  }

  const onRequest = ({ topic, payload, ack }: Delivery): void => {
    const parsed = parseBlobRequestTopic(topic)
    if (parsed === null) return
    server.accept(parsed.node, payload)
    ack()
  }

  const requests = link.deliveries$.subscribe(onRequest)
  const repeats = merge(link.connected$.pipe(filter(Boolean)), interval(repeatMs)).subscribe(() => void publishAll())
  link
    .listen([topics.blobRequestFilter], 0)
    .catch((cause) => log.warn({ cause: String(cause) }, 'the rollout could not subscribe'))

  /** One decision at a time, so that generations follow one another. */
  let last: Promise<unknown> = Promise.resolve()

  return {
    target: (target) => {
      const decision = last.then(async () => {
        const signed = await states.decide(target)
        current.set(topicOf(target), signed)
        log.info({ cohort: target.cohort, generation: signed.state.generation }, 'desired state decided')
        void publish([topicOf(target), signed])
        return signed.state
      })
      last = decision.catch(() => {}) // the caller hears of it
      return decision
    },
    counts: server.counts,
    [Symbol.asyncDispose]: async () => {
      repeats.unsubscribe()
      requests.unsubscribe()
      await server.close()
    },
  }
}
