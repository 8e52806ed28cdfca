/**
 * What a node sends up (schema envelope/1): rows of its outbox with their sequence numbers, many to a
 * message. The key of a row is (node, epoch, seq); node and epoch stand in the topic, which the broker vouches for.
 */
import { z } from 'zod'

const base64 = z.base64()
const numberOrNull = z.number().nullable()

const size = z.int().positive()

/** Sizes that no sensor has are refused here: whoever trains on stored readings counts on them. */
const contentSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('scalars'), values: z.record(z.string(), numberOrNull) }),
  z.object({
    kind: z.literal('series'),
    stepMs: z.number().positive(),
    variables: z.record(z.string(), z.array(numberOrNull)),
  }),
  z.object({ kind: z.literal('image'), width: size, height: size, channels: size, pixels: base64 }),
  z.object({
    kind: z.literal('audio'),
    frontEnd: z.object({
      sampleRateHz: z.number().positive(),
      fftSize: size,
      hopSize: size,
      bands: size,
      lowHz: z.number().nonnegative(),
      highHz: z.number().positive(),
    }),
    frames: size,
    levels: base64,
  }),
  z.object({ kind: z.literal('location'), latitude: z.number(), longitude: z.number(), elevationM: numberOrNull }),
  z.object({ kind: z.literal('embedding'), encoder: z.string(), vector: z.array(z.number()).min(1) }),
])

const wireReadingSchema = z.object({
  kind: z.literal('reading'),
  id: z.string(),
  sensor: z.string(),
  deployment: z.string(),
  modality: z.string(),
  observedAtMs: z.number().nullable(),
  observedAtText: z.string().nullable(),
  clock: z.object({
    source: z.enum(['gps', 'ntp', 'rtc', 'host', 'none']),
    errorSeconds: z.number().optional(),
    syncedAt: z.string().optional(),
  }),
  content: contentSchema,
  media: z.object({ sha256: z.string(), mediaType: z.string() }).nullable(),
})

const wireObservationSchema = z.object({
  kind: z.literal('observation'),
  id: z.string(),
  deployment: z.string(),
  startMs: z.number(),
  endMs: z.number(),
  revision: z.int().positive(),
  final: z.boolean(),
  readings: z.array(z.string()),
})

const wirePredictionSchema = z.object({
  kind: z.literal('prediction'),
  observation: z.string(),
  revision: z.int().positive(),
  model: z.string(),
  labels: z.array(z.string()),
  probabilities: z.array(z.number()),
  evidence: z.record(z.string(), z.object({ visibleTokens: z.int(), totalTokens: z.int() })),
  final: z.boolean(),
  predictedAtMs: z.number(),
})

/** What happened to a model update, or any refusal worth knowing in the cloud. */
export const wireReportSchema = z.object({
  kind: z.literal('report'),
  atMs: z.number(),
  topic: z.enum(['update', 'rejected', 'started']),
  /** For updates: the state reached. */
  state: z.string(),
  detail: z.string(),
  model: z.string().nullable(),
  generation: z.int().nullable(),
})

export const wireRowSchema = z.object({
  seq: z.int().positive(),
  body: z.discriminatedUnion('kind', [
    wireReadingSchema,
    wireObservationSchema,
    wirePredictionSchema,
    wireReportSchema,
  ]),
})

export const envelopeSchema = z.object({ schema: z.literal('envelope/1'), rows: z.array(wireRowSchema).min(1) })

export type WireRow = z.infer<typeof wireRowSchema>
export type WireBody = WireRow['body']
