/** What sensors send to a station (schema reading/1). Unknown fields are ignored; times carry an offset. */
import { z } from 'zod'

export const clockSchema = z.object({
  source: z.enum(['gps', 'ntp', 'rtc', 'host', 'none']),
  err_s: z.number().nonnegative().optional(),
  synced_at: z.string().optional(),
})

const numberOrNull = z.number().nullable()

/**
 * Exactly one of `values`, `series`, `location`, `embedding`, `media` says what kind of content this is.
 * `media.data` is base64 of a WAV, JPEG or PNG file; `image` holds already decoded 8-bit pixels.
 */
export const sensorMessageSchema = z.object({
  schema: z.literal('reading/1'),
  id: z.string().min(1).max(128),
  /** Modality this feeds; when absent, the sensor's modality in the station's configuration. */
  modality: z.string().min(1).max(64).optional(),
  /** When absent, the sensor's deployment in the station's configuration. */
  deployment: z.string().min(1).max(128).optional(),
  /** ISO 8601 with offset, or null when the device has no time. */
  observed_at: z.string().nullable(),
  clock: clockSchema.optional(),
  values: z.record(z.string(), numberOrNull).optional(),
  series: z
    .object({ step_s: z.number().positive(), variables: z.record(z.string(), z.array(numberOrNull).max(4096)) })
    .optional(),
  location: z
    .object({ latitude: z.number(), longitude: z.number(), elevation_m: z.number().nullable().optional() })
    .optional(),
  embedding: z.object({ encoder: z.string().max(64), vector: z.array(z.number()).min(1).max(8192) }).optional(),
  image: z
    .object({
      width: z.int().positive().max(4096),
      height: z.int().positive().max(4096),
      channels: z.int().positive().max(16),
      data: z.base64(),
    })
    .optional(),
  media: z.object({ type: z.string().max(64), data: z.base64() }).optional(),
})

export type SensorMessage = z.infer<typeof sensorMessageSchema>
