/**
 * Decides the next step of an update from what is known, and nothing else. The plan is complete: the
 * executor of a step makes no choice. Where a limit stands here, a crash of the station counts towards it.
 */
import { assertNever } from '#shared/std/assert.ts'
import type { Attempt, BundleRef, Desired, ObjectRef, UpdateState } from './state.ts'

/** Begun steps without progress, after which an attempt ends (the number is Mender's). */
export const MAX_STEPS = 28
/** A trial is run a second time, for the machine may have been at fault; there is no third. */
const MAX_PROBES = 2
/** Downloads whose hash was wrong. One can be a bad card or a bad cable. */
const MAX_CORRUPTIONS = 3
/** Starts of the station without a verdict on the new model; the third goes back. */
const MAX_TRIAL_BOOTS = 2

export type UpdateStep =
  /** Nothing to do until a desired state or a verdict comes. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'begin'; readonly desired: Desired }
  | { readonly kind: 'resolve'; readonly release: ObjectRef; readonly releaseCounter: number }
  | { readonly kind: 'download'; readonly bundle: BundleRef }
  | { readonly kind: 'probe'; readonly bundle: BundleRef }
  | { readonly kind: 'activate'; readonly bundle: BundleRef }
  /** `blame`: the verified model itself failed, and its counter is not tried again. */
  | { readonly kind: 'reject'; readonly reason: string; readonly blame: boolean }
  | { readonly kind: 'goBack'; readonly reason: string }

export const planUpdate = (state: UpdateState): UpdateStep => {
  const { attempt, desired, slot } = state
  if (slot.kind === 'trial') {
    if (slot.boots > MAX_TRIAL_BOOTS) return { kind: 'goBack', reason: 'no verdict after several starts' }
    return { kind: 'wait' }
  }
  if (desired !== null && desired.generation !== attempt?.generation) return { kind: 'begin', desired }
  return attempt === null ? { kind: 'wait' } : continueAttempt(state, attempt)
}

const continueAttempt = (state: UpdateState, attempt: Attempt): UpdateStep => {
  switch (attempt.kind) {
    case 'confirmed':
    case 'rejected':
    case 'wentBack':
    case 'trial':
      return { kind: 'wait' }
    case 'resolving':
    case 'downloading':
    case 'verified':
    case 'activating': {
      const reason = refusal(state, attempt)
      if (reason !== null) return { kind: 'reject', reason, blame: false }
      const failure = exhaustedTrial(attempt)
      return failure === null ? advance(attempt) : { kind: 'reject', reason: failure, blame: true }
    }
    default:
      return assertNever(attempt)
  }
}

const advance = (
  attempt: Extract<Attempt, { kind: 'resolving' | 'downloading' | 'verified' | 'activating' }>,
): UpdateStep => {
  switch (attempt.kind) {
    case 'resolving':
      return { kind: 'resolve', release: attempt.release, releaseCounter: attempt.releaseCounter }
    case 'downloading':
      return { kind: 'download', bundle: attempt.bundle }
    case 'verified':
      return { kind: 'probe', bundle: attempt.bundle }
    case 'activating':
      return { kind: 'activate', bundle: attempt.bundle }
    default:
      return assertNever(attempt)
  }
}

const exhaustedTrial = (attempt: Attempt): string | null =>
  attempt.kind === 'verified' && attempt.probes >= MAX_PROBES
    ? `trial-failed: ${attempt.lastFailure ?? 'the station stopped during the trial'}`
    : null

/** Why this attempt must end here, for reasons that don't lie in the model; or null. */
const refusal = ({ floor, quarantine }: UpdateState, attempt: Attempt): string | null => {
  const { releaseCounter, release } = attempt
  if (floor !== null && releaseCounter < floor.counter) {
    return `older-release: counter ${releaseCounter}, and ${floor.counter} has been confirmed`
  }
  if (floor !== null && releaseCounter === floor.counter && release.sha256 !== floor.release) {
    return `forked-release: counter ${releaseCounter} belongs to another release`
  }
  if (quarantine !== null && releaseCounter <= quarantine.counter) {
    return `quarantined: counter ${quarantine.counter} failed here (${quarantine.reason})`
  }
  if ('corruptions' in attempt && attempt.corruptions >= MAX_CORRUPTIONS) {
    return `corrupt-object: the hash was wrong ${attempt.corruptions} times`
  }
  if (attempt.steps >= MAX_STEPS) return `loop: ${attempt.steps} steps without progress`
  return null
}
