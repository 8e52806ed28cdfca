import type { Label } from './label.ts'
import type { Observation } from './observation.ts'
import type { Reading } from './reading.ts'

/** What a model learns from: the newest revision of an observation, its readings, and everything said about it. */
export type LabelledObservation = {
  readonly observation: Observation
  /** Those of the observation's readings that have arrived. */
  readonly readings: readonly Reading[]
  /** In order of arrival, at least one. */
  readonly labels: readonly Label[]
}
