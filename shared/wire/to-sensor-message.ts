/** A reading's content as a sensor would send it (schema reading/1): for replays of data that no sensor sends any more. */
import type { ReadingContent } from '#shared/domain/reading.ts'
import { assertNever } from '#shared/std/assert.ts'
import type { SensorMessage } from './sensor-message.ts'

export type MessageHead = {
  readonly id: string
  readonly modality: string
  readonly deployment: string
  /** Null when the device has no time. */
  readonly observedAtMs: number | null
  readonly clock?: SensorMessage['clock']
}

/** Sound has no such message: a log-mel picture doesn't become a recording again. */
export type SendableContent = Exclude<ReadingContent, { readonly kind: 'audio' }>

export const toSensorMessage = (
  { id, modality, deployment, observedAtMs, clock }: MessageHead,
  content: SendableContent,
): SensorMessage => ({
  schema: 'reading/1',
  id,
  modality,
  deployment,
  observed_at: observedAtMs === null ? null : new Date(observedAtMs).toISOString(),
  ...(clock === undefined ? {} : { clock }),
  ...partOf(content),
})

const partOf = (
  content: SendableContent,
): Pick<SensorMessage, 'values' | 'series' | 'location' | 'embedding' | 'image'> => {
  switch (content.kind) {
    case 'scalars':
      return { values: { ...content.values } }
    case 'series': {
      const variables = Object.entries(content.variables).map(([name, values]) => [name, values.slice()] as const)
      return { series: { step_s: content.stepMs / 1000, variables: Object.fromEntries(variables) } }
    }
    case 'location': {
      const { latitude, longitude, elevationM } = content
      return { location: { latitude, longitude, elevation_m: elevationM } }
    }
    case 'embedding':
      return { embedding: { encoder: content.encoder, vector: content.vector.slice() } }
    case 'image': {
      const { width, height, channels, pixels } = content
      const data = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length).toString('base64')
      return { image: { width, height, channels, data } }
    }
    default:
      return assertNever(content)
  }
}
