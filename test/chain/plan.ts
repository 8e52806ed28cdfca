/**
 * What the sensors of the test sites will send. There are as many rounds as subsets; in each, every site shows one of
 * them, in an order of its own, so that after the last round each site has shown each subset exactly once. What a
 * subset leaves out is simply never sent.
 */

import type { RawExample, RawSet } from '#cloud/dataset/raw-set.ts'
import type { Subset } from '#cloud/model/subset.ts'
import { type DeploymentId, isPlainId, type ObservationId, observationId } from '#shared/domain/ids.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import { assert } from '#shared/std/assert.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import type { SensorMessage } from '#shared/wire/sensor-message.ts'
import { toSensorMessage } from '#shared/wire/to-sensor-message.ts'

/** One site in one round. */
export type Showing = {
  /** Index among the test sites. */
  readonly site: number
  /** Index among the subsets. */
  readonly subset: number
  readonly deployment: DeploymentId
  readonly window: TimeWindow
  readonly observation: ObservationId
  readonly readings: readonly TokenReading[]
}

export type PlanOptions = {
  /** The test sites. */
  readonly examples: readonly RawExample[]
  readonly layout: TokenLayout
  readonly subsets: readonly Subset[]
  readonly seed: number
  /** When the last round's hour ends at the latest. */
  readonly nowMs: number
  /** The model looks at the time, so each observation must keep the example's; a round is then another deployment. */
  readonly keepsTime: boolean
}

const HOUR_MS = 3_600_000

export const planRounds = (options: PlanOptions): readonly (readonly Showing[])[] => {
  const { examples, subsets, seed, layout, keepsTime } = options
  const firstMs = Math.floor(options.nowMs / HOUR_MS) * HOUR_MS - subsets.length * HOUR_MS
  const names = deploymentNames(examples.map((example) => example.id))
  const orders = examples.map((_, site) => {
    const order = Array.from({ length: subsets.length }, (_, subset) => subset)
    return randomStream(seed, `chain/order/${site}`).shuffle(order)
  })
  return subsets.map((_, round) =>
    examples.map((example, site) => {
      const subset = orders[site]![round]!
      const deployment = (keepsTime ? `${names[site]}.r${round}` : names[site]!) as DeploymentId
      const startMs = firstMs + round * HOUR_MS
      const window = keepsTime ? example.window : { startMs, endMs: startMs + HOUR_MS }
      const readings = example.readings.flatMap((reading) => {
        const content = shownPart(layout, reading, subsets[subset]!)
        return content === null ? [] : [{ ...reading, content }]
      })
      return { site, subset, deployment, window, observation: observationId(deployment, window.startMs), readings }
    }),
  )
}

/** Whether tokens depend on when an observation was made. */
export const keepsTime = ({ templates }: Pick<RawSet, 'templates'>): boolean =>
  templates.some(
    (template) =>
      template.kind === 'location' && template.parts.some((part) => part === 'season' || part === 'dayTime'),
  )

const deploymentNames = (ids: readonly string[]): readonly string[] => {
  const names = ids.map((id, i) => (isPlainId(id) && id.length <= 100 ? id : `site:${i}`))
  assert(new Set(names).size === names.length, 'deployments differ in name')
  return names
}

/** Null when nothing of the reading belongs to the subset. Only tables can be shown in part. */
const shownPart = (
  layout: TokenLayout,
  { modality, content }: TokenReading,
  { hidden }: Subset,
): ReadingContent | null => {
  const m = layout.modalities.indexOf(modality)
  const slots = layout.slots.flatMap((slot, s) =>
    slot.modality === m ? [{ name: slot.name, isShown: hidden[s] === 0 }] : [],
  )
  if (!slots.some((slot) => slot.isShown)) return null
  if (slots.every((slot) => slot.isShown)) return content
  assert(content.kind === 'scalars', 'only tables are shown in part', { modality })
  const shown = slots.filter((slot) => slot.isShown).map((slot) => slot.name.slice(modality.length + 1))
  const values = Object.fromEntries(shown.map((name) => [name, content.values[name] ?? null]))
  return Object.values(values).some((value) => value !== null) ? { kind: 'scalars', values } : null
}

export type PlannedMessage = { readonly sensor: string; readonly message: SensorMessage }

/** A round's readings as separate messages, in random order; the times lie anywhere within their windows. */
export const messagesOf = (
  round: number,
  showings: readonly Showing[],
  { layout, seed }: { readonly layout: TokenLayout; readonly seed: number },
): readonly PlannedMessage[] => {
  const random = randomStream(seed, `chain/messages/${round}`)
  const messages = showings.flatMap((showing) =>
    showing.readings.map(({ modality, content }) => {
      assert(content.kind !== 'audio', 'folders hold no sound', { modality })
      const m = layout.modalities.indexOf(modality)
      const head = {
        id: `${showing.deployment}/${round}/${m}`,
        modality,
        deployment: showing.deployment,
        observedAtMs: timeWithin(showing.window, random),
        clock: { source: 'ntp', err_s: 1 } as const,
      }
      return { sensor: `sensor-${m}`, message: toSensorMessage(head, content) }
    }),
  )
  return random.shuffle(messages)
}

const timeWithin = ({ startMs, endMs }: TimeWindow, random: Random): number => startMs + random.index(endMs - startMs)
