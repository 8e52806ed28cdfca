/** Reviewers: they look at a share of the hours, hours or days later, and say who was there. */
import { randomStream } from '#shared/std/random.ts'
import type { LabelMessage } from '#shared/wire/label.ts'
import { LABELS } from './species.ts'
import { HOUR_MS, observationOf } from './station.ts'
import type { Truth } from './truth.ts'

export type ReviewOptions = {
  /** Share of the hours that get a label. */
  readonly share: number
  /** Probability that a label says anything about a species; unnamed ones stay unknown. */
  readonly namedShare: number
  readonly longestDelayHours: number
}

export const DEFAULT_REVIEW: ReviewOptions = { share: 0.5, namedShare: 0.95, longestDelayHours: 12 }

export type PlannedLabel = { readonly message: LabelMessage; readonly sendAtMs: number }

/** What reviewers will say about this hour; null when nobody looks at it. */
export const labelOf = (seed: number, review: ReviewOptions, truth: Truth): PlannedLabel | null => {
  const random = randomStream(seed, `review/${truth.station.index}/${truth.hour}`)
  if (random.uniform() >= review.share) return null
  const named = LABELS.filter(() => random.uniform() < review.namedShare)
  const delayHours = 1 + random.uniform() * review.longestDelayHours
  return {
    message: {
      schema: 'label/1',
      id: `label:${truth.station.deployment}:${truth.startMs}`,
      observation: observationOf(truth.station, truth.startMs),
      present: named.filter((id) => truth.present.includes(id)),
      absent: named.filter((id) => !truth.present.includes(id)),
      by: `reviewer-${1 + random.index(4)}`,
    },
    sendAtMs: truth.startMs + delayHours * HOUR_MS,
  }
}
