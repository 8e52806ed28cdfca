import type { DeploymentId, NodeId, ReadingId, SensorId, Sha256 } from './ids.ts'
import type { ClockBlock } from './time.ts'

/**
 * What a sensor saw, in canonical form: raw media are decoded at the door, so the trainer and every
 * edge build tokens from the same numbers. `null` is "the sensor said it has no value".
 */
export type ReadingContent =
  | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number | null>> }
  | {
      readonly kind: 'series'
      /** Milliseconds between steps; the last step ends at the reading's time. Oldest first. */
      readonly stepMs: number
      readonly variables: Readonly<Record<string, readonly (number | null)[]>>
    }
  | {
      readonly kind: 'image'
      readonly width: number
      readonly height: number
      /** 1 (grey) or 3 (RGB) … bands, interleaved, row-major, top row first, 8 bit. */
      readonly channels: number
      readonly pixels: Uint8Array
    }
  | {
      readonly kind: 'audio'
      readonly frontEnd: AudioFrontEnd
      /** Log-mel, [frames × bands] row-major, quantized: value = level / 255 × 80 − 80 dB relative to full scale. */
      readonly frames: number
      readonly levels: Uint8Array
    }
  | {
      readonly kind: 'location'
      readonly latitude: number
      readonly longitude: number
      readonly elevationM: number | null
    }
  | { readonly kind: 'embedding'; readonly encoder: string; readonly vector: readonly number[] }

/** How sound became a log-mel picture; equal values mean comparable pictures. */
export type AudioFrontEnd = {
  readonly sampleRateHz: number
  readonly fftSize: number
  readonly hopSize: number
  readonly bands: number
  readonly lowHz: number
  readonly highHz: number
}

/** One parsed value set of one sensor at one time. */
export type Reading = {
  readonly id: ReadingId
  readonly node: NodeId
  readonly sensor: SensorId
  readonly deployment: DeploymentId
  /** Name of the modality that this content feeds, as in the model's specs ("weather", "audio", …). */
  readonly modality: string
  /** ms since 1970-01-01T00:00Z, or null when the device had no time. */
  readonly observedAtMs: number | null
  /** The device's own words for the time, unchanged. */
  readonly observedAtText: string | null
  readonly clock: ClockBlock
  readonly content: ReadingContent
  /** The raw file it was decoded from, kept in the media store; null for scalars and series. */
  readonly media: { readonly sha256: Sha256; readonly mediaType: string } | null
}

/** A message that is not a reading, kept for inspection with the reason. */
export type Rejected = {
  readonly reason: RejectReason
  /** Names the field and what was wrong with it. */
  readonly detail: string
  readonly topic: string
  readonly receivedAtMs: number
  /** The bytes as they came, cut to a stated length. */
  readonly payload: Uint8Array
}

export type RejectReason =
  | 'malformed-json'
  | 'wrong-schema'
  | 'not-a-number'
  | 'impossible-value'
  | 'bad-media'
  | 'oversized'
  | 'unknown-device'
  | 'clock-reset'
