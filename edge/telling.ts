/** Tells the world about observations: event messages, at least once, in order within an observation. */
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { Prediction } from '#shared/domain/prediction.ts'
import type { Log } from '#shared/platform/log.ts'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'
import { type PullLoop, startPullLoop } from '#shared/streams/pull-loop.ts'
import type { EventMessage } from '#shared/wire/event.ts'
import { type EventType, eventsDue, type TellingTable, type Untold } from './observing/telling.ts'

export type TellingOptions = {
  readonly table: TellingTable
  readonly link: MqttLink
  readonly topic: string
  readonly node: string
  readonly epoch: string
  /** Whether a model will come to predict what waits; else observations are told without one. */
  readonly hasModel: () => boolean
  readonly log: Log
}

const AT_ONCE = 64
/** The most probable labels; the whole prediction goes to the cloud. */
const LABELS_TOLD = 10

export const startTelling = ({ table, link, topic, hasModel, log, ...from }: TellingOptions): PullLoop => {
  const tell = async (untold: Untold): Promise<void> => {
    for (const type of eventsDue(untold)) {
      await link.publish(topic, JSON.stringify(eventMessage(untold, type, from)), { qos: 1 })
    }
  }

  const work = async (): Promise<boolean> => {
    if (!link.isConnected()) return false
    const untold = table.untold(AT_ONCE, !hasModel())
    if (untold.length === 0) return false
    const outcomes = await Promise.allSettled(untold.map(tell))
    table.markTold(untold.filter((_, i) => outcomes[i]!.status === 'fulfilled'))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined && link.isConnected()) throw failure.reason
    return true
  }

  return startPullLoop({ work, onFailure: (cause) => log.warn({ cause: String(cause) }, 'an event was not told yet') })
}

const eventMessage = (
  { id: event, revision, final, late, startMs, prediction }: Untold,
  type: EventType,
  { node, epoch }: { readonly node: string; readonly epoch: string },
): EventMessage => ({
  schema: 'event/1',
  id: sha256Hex([node, epoch, event, revision, type, prediction?.model ?? ''].join('\n')).slice(0, 32),
  node,
  epoch,
  event,
  rev: revision,
  type,
  final,
  observed_at: new Date(startMs).toISOString(),
  clock: { source: 'host' },
  historical: late,
  model: prediction?.model ?? null,
  labels: prediction === null ? [] : topLabels(prediction),
  evidence: Object.fromEntries(
    Object.entries(prediction?.evidence ?? {}).map(([modality, { visibleTokens, totalTokens }]) => [
      modality,
      { tokens: visibleTokens, of: totalTokens },
    ]),
  ),
})

const topLabels = ({ labels, probabilities }: Prediction): EventMessage['labels'] =>
  labels
    .map((taxon, i) => ({ taxon, probability: probabilities[i]! }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, LABELS_TOLD)
