import type { ObservationId } from './ids.ts'

/** What a person (or a survey) says was there during one observation. Taxa not named are unknown, not absent. */
export type Label = {
  readonly id: string
  readonly observation: ObservationId
  readonly present: readonly string[]
  readonly absent: readonly string[]
  readonly by: string
}
