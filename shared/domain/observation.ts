import type { DeploymentId, NodeId, ObservationId, ReadingId } from './ids.ts'
import type { TimeWindow } from './time.ts'

/** Readings of one deployment aligned to one window. Late readings reopen it as the next revision. */
export type Observation = {
  readonly id: ObservationId
  readonly node: NodeId
  readonly deployment: DeploymentId
  readonly window: TimeWindow
  /** Counts up from 1 with each change of the readings. */
  readonly revision: number
  /** True once the window's allowed lateness has passed; a later reading still makes a revision. */
  readonly final: boolean
  readonly readings: readonly ReadingId[]
}
