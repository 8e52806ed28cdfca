import type { AudioFrontEnd } from './reading.ts'

/**
 * A modality is a set of inputs that come and go together, and one spec unless specs form a group. A model is defined by an ordered list of
 * these specs, which is data and travels in the manifest. Means and deviations come from the
 * training part only. `mean`/`deviation` arrays of images are per channel.
 */
export type ModalitySpec = {
  /**
   * Makes one modality, of this name, of several specs that stand one after the other: they are hidden by one
   * probability and counted as one. For what no single spec can say, such as series of two step sizes.
   */
  readonly group?: string
} & (
  | { readonly kind: 'tabular'; readonly name: string; readonly variables: readonly TabularVariable[] }
  | {
      readonly kind: 'series'
      readonly name: string
      readonly stepMs: number
      /** Tokens per variable, oldest first. */
      readonly periods: number
      /** Values per token. */
      readonly stepsPerPeriod: number
      readonly variables: readonly ScaledVariable[]
    }
  | {
      readonly kind: 'image'
      readonly name: string
      readonly width: number
      readonly height: number
      readonly channels: number
      /** Side of the square patch that makes one token; divides width and height. */
      readonly patch: number
      /** Names of the channels, each of which has tokens of its own; when absent a token holds all of its patch. */
      readonly bands?: readonly string[]
      readonly mean: readonly number[]
      readonly deviation: readonly number[]
    }
  | {
      readonly kind: 'audio'
      readonly name: string
      readonly frontEnd: AudioFrontEnd
      /** Frames used, from the start; shorter recordings hide the tokens they can't fill. */
      readonly frames: number
      readonly patchFrames: number
      readonly patchBands: number
      readonly mean: number
      readonly deviation: number
    }
  | { readonly kind: 'location'; readonly name: string; readonly parts: readonly LocationPart[] }
  | {
      readonly kind: 'embedding'
      readonly name: string
      readonly encoder: string
      readonly size: number
      readonly mean: readonly number[]
      readonly deviation: readonly number[]
    }
)

export type ScaledVariable = { readonly name: string; readonly mean: number; readonly deviation: number }

export type TabularVariable =
  | ({ readonly type: 'number' } & ScaledVariable)
  /** Any value outside the list is unknown and hides the token. */
  | { readonly type: 'category'; readonly name: string; readonly categories: readonly number[] }

/** One token each: place, height above sea, day of the year, hour of the day with the sun's height. */
export type LocationPart = 'position' | 'elevation' | 'season' | 'dayTime'
