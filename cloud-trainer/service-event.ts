/** What happens in the service, for whoever watches: one JSON line each with `--events`. */

import type { Fall } from './gate.ts'

/** Macro AUC by name. */
type Scores = Readonly<Record<string, number>>

export type ServiceEvent =
  | {
      readonly kind: 'ready'
      readonly trustFile: string
      readonly storeFile: string
      readonly family: string
      readonly cohort: string
      /** Version that stations are asked to run, or null. */
      readonly model: string | null
      readonly labelled: number
    }
  | { readonly kind: 'link'; readonly connected: boolean }
  | { readonly kind: 'taken'; readonly rows: number; readonly labels: number }
  | {
      readonly kind: 'training'
      readonly run: number
      /** 0 when it begins. */
      readonly epoch: number
      readonly epochs: number
      /** By modality alone, and `all`, on the validation part; empty at the beginning. */
      readonly scores: Scores
      readonly etaSeconds: number | null
    }
  | {
      readonly kind: 'published'
      readonly run: number
      readonly version: string
      readonly releaseCounter: number
      /** By subset. */
      readonly scores: Scores
      /** Absolute paths in the registry. */
      readonly files: { readonly manifest: string; readonly model: string; readonly vectors: string }
    }
  | { readonly kind: 'targeted'; readonly run: number; readonly cohort: string; readonly generation: number }
  /** Worse than the current model or than the one that new ones are held to, or not comparable. */
  | {
      readonly kind: 'refused'
      readonly run: number
      readonly reason: string
      /** The subsets that are the reason; none when it is another. */
      readonly fell: readonly Fall[]
    }
  | { readonly kind: 'failed'; readonly run: number; readonly code: string; readonly detail: string }
  /** A file of a run can't be read any more; the run is done again. */
  | { readonly kind: 'damaged'; readonly run: number; readonly file: string; readonly detail: string }
  /** A station's word about its model update, or a refusal. */
  | {
      readonly kind: 'report'
      readonly node: string
      readonly topic: string
      readonly state: string
      readonly detail: string
      readonly model: string | null
      readonly generation: number | null
    }
