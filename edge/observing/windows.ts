/**
 * How readings become observations: one for each deployment and window, windows aligned to 1970-01-01T00:00Z.
 * Readings only join, and each group of them that changes an observation makes its next revision. A window that time
 * has passed by more than the allowed lateness is final; a reading that comes still later makes a revision all the same.
 */
import type { DeploymentId, ObservationId, ReadingId } from '#shared/domain/ids.ts'
import type { TimeWindow } from '#shared/domain/time.ts'

export type WindowOptions = {
  readonly ms: number
  readonly allowedLatenessMs: number
  /** `wall`: the station's clock passes windows; `readings`: a deployment's newest reading does. */
  readonly time: 'wall' | 'readings'
}

/** A stored reading on its way into an observation. */
export type Joining = {
  /** Row in the spool. */
  readonly number: number
  readonly id: ReadingId
  readonly deployment: DeploymentId
  readonly observedAtMs: number | null
}

/** Readings of one group that fall into one window. */
export type WindowGroup = {
  readonly deployment: DeploymentId
  readonly window: TimeWindow
  readonly readings: readonly Joining[]
}

export const windowOf = (atMs: number, windowMs: number): TimeWindow => {
  const startMs = Math.floor(atMs / windowMs) * windowMs
  return { startMs, endMs: startMs + windowMs }
}

/** In the order in which windows first appear; readings without a time join none. */
export const groupByWindow = (joinings: readonly Joining[], windowMs: number): readonly WindowGroup[] => {
  const groups = new Map<string, { deployment: DeploymentId; window: TimeWindow; readings: Joining[] }>()
  for (const joining of joinings) {
    if (joining.observedAtMs === null) continue
    const { deployment } = joining
    const window = windowOf(joining.observedAtMs, windowMs)
    const key = `${deployment}/${window.startMs}`
    const group = groups.get(key) ?? { deployment, window, readings: [] }
    groups.set(key, group)
    group.readings.push(joining)
  }
  return [...groups.values()]
}

/** The newest time that each deployment has shown; a watermark that only rises is the caller's to keep. */
export const newestByDeployment = (joinings: readonly Joining[]): ReadonlyMap<DeploymentId, number> => {
  const newest = new Map<DeploymentId, number>()
  for (const { deployment, observedAtMs } of joinings) {
    if (observedAtMs !== null) newest.set(deployment, Math.max(observedAtMs, newest.get(deployment) ?? observedAtMs))
  }
  return newest
}

export const isPassed = (endMs: number, timeMs: number, { allowedLatenessMs }: WindowOptions): boolean =>
  endMs + allowedLatenessMs <= timeMs

/** What tells an observation has changed: the body of a row for the cloud. */
export type ObservationChange = {
  readonly number: number
  readonly id: ObservationId
  readonly deployment: DeploymentId
  readonly window: TimeWindow
  readonly revision: number
  readonly final: boolean
  /** `revised`: readings joined; `ended`: time has passed the window, the revision is the same. */
  readonly what: 'revised' | 'ended'
  readonly readings: readonly ReadingId[]
}
