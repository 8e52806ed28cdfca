/** What a station knows about one model family's updates. All of it is in the database; a restart loses nothing. */
import type { ModelVersion, Sha256 } from '#shared/domain/ids.ts'

export type ObjectRef = { readonly sha256: Sha256; readonly length: number }

/** A release whose signature held, and the files that it pins. */
export type BundleRef = {
  readonly release: Sha256
  readonly releaseCounter: number
  readonly version: ModelVersion
  readonly manifest: ObjectRef
  readonly model: ObjectRef
  readonly vectors: ObjectRef
}

/** The newest desired state whose signature held. */
export type Desired = {
  readonly generation: number
  /** Of the signed bytes: the same generation with another hash is two masters speaking. */
  readonly document: Sha256
  readonly release: ObjectRef
  readonly releaseCounter: number
}

/** What serves. An empty slot is a station that stores and sends without predicting. */
export type Slot =
  | { readonly kind: 'empty' }
  | { readonly kind: 'good'; readonly active: BundleRef; readonly previous: BundleRef | null }
  | {
      readonly kind: 'trial'
      readonly active: BundleRef
      readonly previous: BundleRef | null
      /** Starts of the station with this model undecided, the present one included. */
      readonly boots: number
    }

type Goal = { readonly generation: number; readonly release: ObjectRef; readonly releaseCounter: number }

/** `steps` counts what was begun without any progress; it is raised before each step, so that a crash counts. */
export type Attempt = Goal & { readonly steps: number } & (
    | { readonly kind: 'resolving' }
    | { readonly kind: 'downloading'; readonly bundle: BundleRef; readonly corruptions: number }
    /** Every file is here under its hash. `probes` is raised before the child is started. */
    | {
        readonly kind: 'verified'
        readonly bundle: BundleRef
        readonly corruptions: number
        readonly probes: number
        readonly lastFailure: string | null
      }
    | { readonly kind: 'activating'; readonly bundle: BundleRef; readonly corruptions: number }
    | { readonly kind: 'trial'; readonly bundle: BundleRef }
    | { readonly kind: 'confirmed'; readonly bundle: BundleRef }
    | { readonly kind: 'rejected'; readonly bundle: BundleRef | null; readonly reason: string }
    | { readonly kind: 'wentBack'; readonly bundle: BundleRef; readonly reason: string }
  )

export type UpdateState = {
  readonly desired: Desired | null
  readonly attempt: Attempt | null
  readonly slot: Slot
  /** The highest release ever confirmed; lower counters, and others with the same one, are refused. */
  readonly floor: { readonly counter: number; readonly release: Sha256 } | null
  /** The highest counter of a verified release that failed here; only a higher one is tried again. */
  readonly quarantine: { readonly counter: number; readonly release: Sha256; readonly reason: string } | null
}

export const initialState: UpdateState = {
  desired: null,
  attempt: null,
  slot: { kind: 'empty' },
  floor: null,
  quarantine: null,
}

export const activeOf = (slot: Slot): BundleRef | null => (slot.kind === 'empty' ? null : slot.active)
export const previousOf = (slot: Slot): BundleRef | null => (slot.kind === 'empty' ? null : slot.previous)

export const bundleOf = (attempt: Attempt | null): BundleRef | null =>
  attempt === null || attempt.kind === 'resolving' ? null : attempt.bundle

/** Bundles whose files must stay on disk. */
export const keptBundles = ({ slot, attempt }: UpdateState): readonly BundleRef[] => {
  const isOver = attempt?.kind === 'rejected' || attempt?.kind === 'wentBack'
  return [activeOf(slot), previousOf(slot), isOver ? null : bundleOf(attempt)].filter((bundle) => bundle !== null)
}
