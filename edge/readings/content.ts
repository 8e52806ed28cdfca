/** What a message carries, in canonical form and within what is possible: the one kind of content it must have. */
import type { AudioFrontEnd, ReadingContent } from '#shared/domain/reading.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { DEFAULT_FRONT_END } from '#shared/tokens/log-mel.ts'
import type { SensorMessage } from '#shared/wire/sensor-message.ts'
import type { Fault } from './fault.ts'
import { decodeMedia } from './media.ts'
import type { PictureSize } from './picture.ts'
import { impossibility, type Range } from './ranges.ts'

/** How one sensor's content is to be read. */
export type ContentProfile = {
  readonly ranges?: Readonly<Record<string, Range>>
  readonly image?: PictureSize
  readonly frontEnd?: AudioFrontEnd
}

export type ParsedContent = {
  readonly content: ReadingContent
  /** The file that the content was decoded from, and its type; null when there was none. */
  readonly file: { readonly bytes: Uint8Array; readonly mediaType: string } | null
}

/** Four to three like nearly all cameras, and patches of 16 make 12 tokens. */
const DEFAULT_PICTURE: PictureSize = { width: 64, height: 48, channels: 3 }

const SHORTEST_STEP_S = 0.001
const LONGEST_STEP_S = 366 * 86_400

const KINDS = ['values', 'series', 'location', 'embedding', 'image', 'media'] as const

export const contentOf = async (
  message: SensorMessage,
  profile: ContentProfile,
): Promise<Result<ParsedContent, Fault>> => {
  const kinds = KINDS.filter((kind) => message[kind] !== undefined)
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none' : kinds.join(' and ')
    return fault('wrong-schema', 'payload', `must have one of ${KINDS.join(', ')}; has ${found}`)
  }
  if (message.media !== undefined) return mediaContent(message.media, profile)
  const content = plainContent(message, profile.ranges ?? {})
  return content.ok ? ok({ content: content.value, file: null }) : content
}

const fault = (reason: Fault['reason'], field: string, problem: string) =>
  err({ reason, detail: `${field}: ${problem}` })

type Ranges = Readonly<Record<string, Range>>

const plainContent = (message: SensorMessage, ranges: Ranges): Result<ReadingContent, Fault> => {
  const { values, series, location, embedding, image } = message
  if (values !== undefined) return scalars(values, ranges)
  if (series !== undefined) return seriesContent(series, ranges)
  if (location !== undefined) return locationContent(location, ranges)
  if (embedding !== undefined) return ok({ kind: 'embedding', ...embedding })
  return image === undefined ? fault('wrong-schema', 'payload', 'has no content') : pixels(image)
}

const scalars = (values: NonNullable<SensorMessage['values']>, ranges: Ranges): Result<ReadingContent, Fault> => {
  const entries = Object.entries(values)
  if (entries.length === 0) return fault('wrong-schema', 'values', 'is empty')
  for (const [name, value] of entries) {
    const problem = impossibility(name, value, ranges)
    if (problem !== null) return fault('impossible-value', `values.${name}`, problem)
  }
  return ok({ kind: 'scalars', values })
}

const seriesContent = (
  { step_s, variables }: NonNullable<SensorMessage['series']>,
  ranges: Ranges,
): Result<ReadingContent, Fault> => {
  if (!Object.values(variables).some((steps) => steps.length > 0))
    return fault('wrong-schema', 'series.variables', 'has no step')
  if (step_s < SHORTEST_STEP_S || step_s > LONGEST_STEP_S)
    return fault('impossible-value', 'series.step_s', `${step_s} is outside ${SHORTEST_STEP_S} … ${LONGEST_STEP_S}`)
  for (const [name, steps] of Object.entries(variables)) {
    for (const [step, value] of steps.entries()) {
      const problem = impossibility(name, value, ranges)
      if (problem !== null) return fault('impossible-value', `series.variables.${name}[${step}]`, problem)
    }
  }
  // Steps are compared with those of models, so 1.1 s must be 1100 ms and not 1100.0000000000002.
  return ok({ kind: 'series', stepMs: Math.round(step_s * 1e6) / 1000, variables })
}

const locationContent = (
  { latitude, longitude, elevation_m: elevationM = null }: NonNullable<SensorMessage['location']>,
  ranges: Ranges,
): Result<ReadingContent, Fault> => {
  for (const [name, value] of Object.entries({ latitude, longitude, elevationM })) {
    const problem = impossibility(name, value, ranges)
    const field = name === 'elevationM' ? 'elevation_m' : name
    if (problem !== null) return fault('impossible-value', `location.${field}`, problem)
  }
  return ok({ kind: 'location', latitude, longitude, elevationM })
}

const pixels = (image: NonNullable<SensorMessage['image']>): Result<ReadingContent, Fault> => {
  const { width, height, channels } = image
  const bytes = fromBase64(image.data)
  return bytes.length === width * height * channels
    ? ok({ kind: 'image', width, height, channels, pixels: bytes })
    : fault('bad-media', 'image.data', `${bytes.length} bytes are not ${width} × ${height} × ${channels}`)
}

const mediaContent = async (
  { type, data }: NonNullable<SensorMessage['media']>,
  profile: ContentProfile,
): Promise<Result<ParsedContent, Fault>> => {
  const bytes = fromBase64(data)
  const decoded = await decodeMedia(bytes, type, {
    picture: profile.image ?? DEFAULT_PICTURE,
    frontEnd: profile.frontEnd ?? DEFAULT_FRONT_END,
  })
  if (!decoded.ok) return fault('bad-media', 'media.data', decoded.error)
  return ok({ content: decoded.value.content, file: { bytes, mediaType: decoded.value.mediaType } })
}

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
