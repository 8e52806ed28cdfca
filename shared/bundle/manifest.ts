/** The model manifest (schema manifest/1): everything an edge must know before it runs a model. */
import { z } from 'zod'
import { PRECISIONS } from './precision.ts'

const file = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), length: z.int().positive() })

const scaled = { name: z.string(), mean: z.number(), deviation: z.number().positive() }

const frontEndSchema = z.object({
  sampleRateHz: z.number().positive(),
  fftSize: z.int().positive(),
  hopSize: z.int().positive(),
  bands: z.int().positive(),
  lowHz: z.number().nonnegative(),
  highHz: z.number().positive(),
})

const named = { name: z.string(), group: z.string().exactOptional() }

export const modalitySpecSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('tabular'),
    ...named,
    variables: z
      .array(
        z.discriminatedUnion('type', [
          z.object({ type: z.literal('number'), ...scaled }),
          z.object({ type: z.literal('category'), name: z.string(), categories: z.array(z.number()).min(1) }),
        ]),
      )
      .min(1),
  }),
  z.object({
    kind: z.literal('series'),
    ...named,
    stepMs: z.number().positive(),
    periods: z.int().positive(),
    stepsPerPeriod: z.int().positive(),
    variables: z.array(z.object(scaled)).min(1),
  }),
  z.object({
    kind: z.literal('image'),
    ...named,
    width: z.int().positive(),
    height: z.int().positive(),
    channels: z.int().positive(),
    patch: z.int().positive(),
    bands: z.array(z.string()).exactOptional(),
    mean: z.array(z.number()),
    deviation: z.array(z.number().positive()),
  }),
  z.object({
    kind: z.literal('audio'),
    ...named,
    frontEnd: frontEndSchema,
    frames: z.int().positive(),
    patchFrames: z.int().positive(),
    patchBands: z.int().positive(),
    mean: z.number(),
    deviation: z.number().positive(),
  }),
  z.object({
    kind: z.literal('location'),
    ...named,
    parts: z.array(z.enum(['position', 'elevation', 'season', 'dayTime'])).min(1),
  }),
  z.object({
    kind: z.literal('embedding'),
    ...named,
    encoder: z.string(),
    size: z.int().positive(),
    mean: z.array(z.number()),
    deviation: z.array(z.number().positive()),
  }),
])

/** Weights of the file in these numbers (precision.ts). */
const precisionKind = z.enum(PRECISIONS)

const precisionSchema = z.object({
  /** Of `files.model`. */
  kind: precisionKind,
  /** Of `files.model`. */
  bytes: z.int().positive(),
  /** Median of one observation alone, on the machine below. */
  millisecondsPerObservation: z.number().positive(),
  /** What the model would have weighed and taken in float32. */
  float32Bytes: z.int().positive(),
  float32MillisecondsPerObservation: z.number().positive(),
  /** Every smaller form that was tried: how far the score fell at worst (0 to 1; negative: none fell), and where. */
  tried: z.array(
    z.object({
      kind: precisionKind,
      bytes: z.int().positive(),
      millisecondsPerObservation: z.number().positive(),
      /** Null when nothing could be measured. */
      largestDrop: z.number().nullable(),
      subset: z.string().nullable(),
      part: z.enum(['validation', 'test']).nullable(),
      /** Why it was not taken although its scores held. */
      fault: z.string().exactOptional(),
    }),
  ),
  /** Largest fall that is allowed on any evaluated subset. */
  allowedDrop: z.number(),
  /** What the times were taken with. */
  conditions: z.object({
    cpu: z.string(),
    threads: z.int().positive(),
    observations: z.int().positive(),
    /** Visible ones of an observation, median. */
    tokens: z.number(),
    runtime: z.string(),
  }),
})

export const manifestSchema = z.object({
  schema: z.literal('manifest/1'),
  family: z.string(),
  /** Version of the model this one was trained from or replaces; null for the first. */
  parent: z.string().nullable(),
  createdAt: z.string(),
  /** What the labels are to one another (shared/domain/task.ts); multi-label when absent, as in the first manifests. */
  task: z.enum(['multi-label', 'single-label']).optional(),
  modalities: z.array(modalitySpecSchema).min(1),
  /** sha256 hex of the specs in canonical form and the tokenizer's code version. */
  tokenizerDigest: z.string(),
  labels: z
    .array(z.object({ name: z.string(), taxonId: z.string().nullable(), threshold: z.number().min(0).max(1) }))
    .min(1),
  graph: z.object({
    mode: z.enum(['drop', 'replace']),
    opset: z.int(),
    irVersion: z.int(),
    minimumRuntime: z.string(),
    inputs: z.array(
      z.object({ name: z.string(), type: z.string(), shape: z.array(z.union([z.number(), z.string()])) }),
    ),
    outputs: z.array(
      z.object({ name: z.string(), type: z.string(), shape: z.array(z.union([z.number(), z.string()])) }),
    ),
  }),
  /**
   * Macro AUC (multi-label) or Top-1 (single-label) of each evaluated subset (key: modality names joined by "+", or a
   * given name), on held-out data.
   */
  scores: z.array(
    z.object({
      subset: z.string(),
      metric: z.enum(['macro-auc', 'top-1']),
      value: z.number(),
      low: z.number(),
      high: z.number(),
    }),
  ),
  /** Temperature per subset group; logits are divided by it. One entry named "*" serves all groups without their own. */
  calibration: z.array(z.object({ group: z.string(), temperature: z.number().positive() })).min(1),
  /**
   * Expected calibration error of each subset group (Guo et al. 2017, eq. 3), without and with its temperature; in the
   * single-label task that of the most probable class. Absent in the first manifests.
   */
  calibrationErrors: z
    .object({
      /** Neither was seen by the temperatures: the test part, or each half of the validation part with those of the other. */
      measuredOn: z.enum(['test', 'validation-halves']),
      groups: z.array(
        z.object({
          group: z.string(),
          observations: z.int().positive(),
          before: z.number(),
          after: z.number(),
          /** What honest probabilities would show among as few answers, by chance. */
          chance: z.number(),
        }),
      ),
    })
    .optional(),
  /** What the model's numbers are and what became of its scores; absent: float32, as trained. */
  precision: precisionSchema.optional(),
  provenance: z.object({
    datasetHash: z.string(),
    strategy: z.record(z.string(), z.unknown()),
    seed: z.int(),
    engine: z.string(),
    host: z.string(),
    /**
     * Part of the data that the scores were measured on; absent in the first manifests. The validation part has also
     * steered the masking and may have chosen the epoch, so its scores flatter a little.
     */
    scoredOn: z.enum(['validation', 'test']).optional(),
  }),
  files: z.object({ model: file, vectors: file }),
  /** Logits of the self-test vectors must agree within absolute + relative × |logit|. */
  tolerance: z.object({ absolute: z.number().positive(), relative: z.number().nonnegative() }),
})

export type ManifestPrecision = z.infer<typeof precisionSchema>

export type Manifest = z.infer<typeof manifestSchema>
