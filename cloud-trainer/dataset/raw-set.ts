/** A data set before anything is fitted: what each example's sensors said, and what is known to have been there. */
import type { LocationPart } from '#shared/domain/modality.ts'
import type { AudioFrontEnd } from '#shared/domain/reading.ts'
import type { Task } from '#shared/domain/task.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import type { LabelSpec } from '../model/training-set.ts'

/** A modality's shape: a spec without what is fitted to the training part. */
export type ModalityTemplate = { readonly group?: string } & (
  | { readonly kind: 'tabular'; readonly name: string; readonly variables: readonly TabularTemplate[] }
  | {
      readonly kind: 'series'
      readonly name: string
      readonly stepMs: number
      readonly periods: number
      readonly stepsPerPeriod: number
      readonly variables: readonly string[]
    }
  | {
      readonly kind: 'image'
      readonly name: string
      readonly width: number
      readonly height: number
      readonly channels: number
      readonly patch: number
      readonly bands?: readonly string[]
    }
  | {
      readonly kind: 'audio'
      readonly name: string
      readonly frontEnd: AudioFrontEnd
      readonly frames: number
      readonly patchFrames: number
      readonly patchBands: number
    }
  | { readonly kind: 'location'; readonly name: string; readonly parts: readonly LocationPart[] }
  | { readonly kind: 'embedding'; readonly name: string; readonly encoder: string; readonly size: number }
)

export type TabularTemplate =
  | { readonly type: 'number'; readonly name: string }
  /** Null: those that occur in the training part. */
  | { readonly type: 'category'; readonly name: string; readonly categories: readonly number[] | null }

export type Part = 'train' | 'validation' | 'test'

export type RawExample = {
  readonly id: string
  readonly readings: readonly TokenReading[]
  readonly window: TimeWindow
  readonly part: Part
  /** [labels]: 1, 0, or NaN for unknown. Single-label: 1 for the class and 0 for the others; all NaN for unknown. */
  readonly labels: Float32Array
}

export type RawSet = {
  /** Multi-label when absent. */
  readonly task?: Task
  readonly templates: readonly ModalityTemplate[]
  readonly labels: readonly LabelSpec[]
  readonly examples: readonly RawExample[]
}

/** Something that is odd about the data but stops nobody. */
export type DatasetWarning = {
  readonly code:
    | 'constant-variable'
    | 'never-present'
    | 'unknown-category'
    | 'rare-label'
    | 'other-shape'
    | 'bad-name'
    | 'unused-rows'
  /** Names the variable, label or modality. */
  readonly subject: string
  /** Cells, labels or readings concerned. */
  readonly count: number
  readonly detail: string
}
