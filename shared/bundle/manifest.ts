/** The model manifest (schema manifest/1): everything an edge must know before it runs a model. */
import { z } from 'zod'

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

export type Manifest = z.infer<typeof manifestSchema>
