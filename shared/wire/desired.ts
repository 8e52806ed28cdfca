/**
 * Which model a cohort should run (schema desired/1), signed by the director key, retained on the
 * cohort's topic. State, not a queue: only the newest generation matters. Integers and strings only,
 * because signed bytes are canonical JSON.
 */
import { z } from 'zod'

export const desiredStateSchema = z.object({
  _type: z.literal('desired'),
  schema: z.literal('desired/1'),
  /** Only rises, per cohort and family. */
  generation: z.int().positive(),
  cohort: z.string(),
  family: z.string(),
  /** The signed release document, a content-addressed file. */
  release: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), length: z.int().positive() }),
  releaseCounter: z.int().positive(),
})

export type DesiredState = z.infer<typeof desiredStateSchema>

/** Asks for parts of a content-addressed file; units are numbered from 0. */
export const blobRequestSchema = z.object({
  schema: z.literal('blob-request/1'),
  object: z.string().regex(/^[0-9a-f]{64}$/),
  unitBytes: z.int().min(256).max(65536),
  /** Inclusive ranges of units, rising. */
  ranges: z
    .array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))
    .min(1)
    .max(64),
})

export type BlobRequest = z.infer<typeof blobRequestSchema>
/** A response is binary: 8 bytes of the object's hash, 4 bytes big-endian unit index, then the unit's bytes. */
export const BLOB_RESPONSE_HEADER_BYTES = 12
