/** Folds what happened into the state. Together with the plan it is the whole update machine, without any I/O. */
import { assert, assertNever } from '#shared/std/assert.ts'
import type { UpdateStep } from './plan.ts'
import {
  type Attempt,
  activeOf,
  type BundleRef,
  bundleOf,
  type Desired,
  previousOf,
  type Slot,
  type UpdateState,
} from './state.ts'

export type UpdateEvent =
  /** A newer desired state, verified. */
  | { readonly kind: 'desired'; readonly desired: Desired }
  /** Saved before the step is run; the steps that only change the tables are done with it. */
  | { readonly kind: 'begun'; readonly step: Exclude<UpdateStep, { kind: 'wait' }> }
  | { readonly kind: 'resolved'; readonly bundle: BundleRef }
  /** At least one more unit of a file is safe on disk. */
  | { readonly kind: 'progressed' }
  | { readonly kind: 'downloaded' }
  /** A file turned out not to have its hash, and is gone. */
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'probed' }
  | { readonly kind: 'probeFailed'; readonly reason: string }
  | { readonly kind: 'activated' }
  | { readonly kind: 'refused'; readonly reason: string; readonly blame: boolean }
  /** The station has started. */
  | { readonly kind: 'booted' }
  /** The files of the active model are damaged, though they were good; `isPreviousIntact` tells of the other slot. */
  | { readonly kind: 'slotBroken'; readonly isPreviousIntact: boolean }
  /** The active model on trial has given its answers. */
  | { readonly kind: 'served' }
  | { readonly kind: 'failedToServe'; readonly reason: string }

export const reduce = (state: UpdateState, event: UpdateEvent): UpdateState => {
  const { attempt, slot } = state
  switch (event.kind) {
    case 'desired':
      return { ...state, desired: event.desired }
    case 'begun':
      return begun(state, event.step)
    case 'resolved':
      return withAttempt(state, 'resolving', (old) => ({
        ...goalOf(old),
        steps: 0,
        kind: 'downloading',
        bundle: event.bundle,
        corruptions: 0,
      }))
    case 'progressed':
      return attempt === null ? state : { ...state, attempt: { ...attempt, steps: 0 } }
    case 'downloaded':
      return withAttempt(state, 'downloading', (old) => ({
        ...old,
        steps: 0,
        kind: 'verified',
        probes: 0,
        lastFailure: null,
      }))
    case 'corrupt':
      return corrupt(state)
    case 'probed':
      return withAttempt(state, 'verified', ({ bundle, corruptions, ...old }) => ({
        ...goalOf(old),
        steps: 0,
        kind: 'activating',
        bundle,
        corruptions,
      }))
    case 'probeFailed':
      return withAttempt(state, 'verified', (old) => ({ ...old, lastFailure: event.reason }))
    case 'activated':
      return activated(state)
    case 'refused':
      return rejected(state, event)
    case 'booted':
      return slot.kind === 'trial' ? { ...state, slot: { ...slot, boots: slot.boots + 1 } } : state
    case 'slotBroken':
      return {
        ...state,
        slot: fallBack(slot, event.isPreviousIntact),
        // The release itself is not to blame: forgetting its attempt lets the files be fetched again.
        attempt: bundleOf(attempt)?.release === activeOf(slot)?.release ? null : attempt,
      }
    case 'served':
      return served(state)
    case 'failedToServe':
      return wentBack(state, event.reason)
    default:
      return assertNever(event)
  }
}

const begun = (state: UpdateState, step: Exclude<UpdateStep, { kind: 'wait' }>): UpdateState => {
  switch (step.kind) {
    case 'begin':
      return beginAttempt(state, step.desired)
    case 'reject':
      return rejected(state, step)
    case 'goBack':
      return wentBack(state, step.reason)
    case 'probe': {
      const counted = counting(state)
      return withAttempt(counted, 'verified', (old) => ({ ...old, probes: old.probes + 1 }))
    }
    case 'resolve':
    case 'download':
    case 'activate':
      return counting(state)
    default:
      return assertNever(step)
  }
}

const beginAttempt = (state: UpdateState, { generation, release, releaseCounter }: Desired): UpdateState => {
  const goal = { generation, release, releaseCounter, steps: 0 }
  const { slot } = state
  const isHere = slot.kind === 'good' && slot.active.release === release.sha256
  return {
    ...state,
    attempt: isHere ? { ...goal, kind: 'confirmed', bundle: slot.active } : { ...goal, kind: 'resolving' },
  }
}

const counting = (state: UpdateState): UpdateState =>
  state.attempt === null ? state : { ...state, attempt: { ...state.attempt, steps: state.attempt.steps + 1 } }

const goalOf = ({
  generation,
  release,
  releaseCounter,
}: Pick<Attempt, 'generation' | 'release' | 'releaseCounter'>) => ({
  generation,
  release,
  releaseCounter,
})

/** Events belong to the state they left from; the shell runs one step at a time, so anything else is a bug. */
const withAttempt = <K extends Attempt['kind']>(
  state: UpdateState,
  kind: K,
  change: (attempt: Extract<Attempt, { kind: K }>) => Attempt,
): UpdateState => {
  const { attempt } = state
  assert(isKind(attempt, kind), 'an event that does not belong here', { expected: kind, attempt })
  return { ...state, attempt: change(attempt) }
}

const isKind = <K extends Attempt['kind']>(
  attempt: Attempt | null,
  kind: K,
): attempt is Extract<Attempt, { kind: K }> => attempt?.kind === kind

const corrupt = (state: UpdateState): UpdateState => {
  const { attempt } = state
  // The release document itself: small, fetched again; the count of steps ends it.
  if (attempt?.kind === 'resolving') return state
  assert(attempt !== null && 'corruptions' in attempt, 'corrupt files outside a download', { attempt })
  const { bundle, corruptions, steps } = attempt
  return { ...state, attempt: { ...goalOf(attempt), steps, kind: 'downloading', bundle, corruptions: corruptions + 1 } }
}

const activated = (state: UpdateState): UpdateState => {
  const { slot } = state
  assert(slot.kind !== 'trial', 'two models on trial at once')
  const previous = slot.kind === 'good' ? slot.active : null
  const next = withAttempt(state, 'activating', ({ bundle, ...old }) => ({
    ...goalOf(old),
    steps: 0,
    kind: 'trial',
    bundle,
  }))
  const { attempt } = next
  assert(attempt?.kind === 'trial', 'activation without an attempt')
  return { ...next, slot: { kind: 'trial', active: attempt.bundle, previous, boots: 0 } }
}

/** Only a verified release can be quarantined: else a forged counter would bar every honest one below it. */
const rejected = (
  state: UpdateState,
  { reason, blame }: { readonly reason: string; readonly blame: boolean },
): UpdateState => {
  const { attempt } = state
  assert(attempt !== null, 'nothing to reject', { reason })
  const bundle = attempt.kind === 'resolving' ? null : attempt.bundle
  return {
    ...state,
    attempt: { ...goalOf(attempt), steps: attempt.steps, kind: 'rejected', bundle, reason },
    quarantine: blame && bundle !== null ? quarantined(state, bundle, reason) : state.quarantine,
  }
}

const quarantined = (state: UpdateState, bundle: BundleRef, reason: string): UpdateState['quarantine'] => {
  const { quarantine } = state
  if (quarantine !== null && quarantine.counter >= bundle.releaseCounter) return quarantine
  return { counter: bundle.releaseCounter, release: bundle.release, reason }
}

const served = (state: UpdateState): UpdateState => {
  const { slot, attempt, floor } = state
  if (slot.kind !== 'trial') return state
  const { active, previous } = slot
  return {
    ...state,
    slot: { kind: 'good', active, previous },
    attempt: isKind(attempt, 'trial') ? { ...attempt, kind: 'confirmed' } : attempt,
    floor:
      floor !== null && floor.counter > active.releaseCounter
        ? floor
        : { counter: active.releaseCounter, release: active.release },
  }
}

const wentBack = (state: UpdateState, reason: string): UpdateState => {
  const { slot, attempt } = state
  if (slot.kind !== 'trial') return state
  return {
    ...state,
    slot: fallBack(slot, true),
    attempt: isKind(attempt, 'trial')
      ? { ...goalOf(attempt), steps: 0, kind: 'wentBack', bundle: attempt.bundle, reason }
      : attempt,
    quarantine: quarantined(state, slot.active, reason),
  }
}

const fallBack = (slot: Slot, isPreviousIntact: boolean): Slot => {
  const previous = previousOf(slot)
  return previous !== null && isPreviousIntact ? { kind: 'good', active: previous, previous: null } : { kind: 'empty' }
}
