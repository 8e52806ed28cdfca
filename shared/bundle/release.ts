/**
 * The release (schema release/1): the owners' signed word that a model exists and whom it suits. It decides
 * whether to install; how to run the model stands in the manifest, which it pins by hash together with the
 * weights and the self-test vectors. Integers and strings only, because signed bytes are canonical JSON.
 */
import { z } from 'zod'
import type { ModelVersion, Sha256 } from '#shared/domain/ids.ts'
import type { Result } from '#shared/std/result.ts'
import type { Trust } from './keys.ts'
import { openSigned, type Refused, type Verified } from './signed.ts'

/** Limits on what a release may name; a document beyond them is refused whoever signed it. */
export const MAX_RELEASE_BYTES = 65536
export const MAX_MANIFEST_BYTES = 1 << 20
export const MAX_OBJECT_BYTES = 1 << 26

const object = (maxBytes: number) =>
  z.object({
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .transform((text) => text as Sha256),
    length: z.int().min(1).max(maxBytes),
  })

export const releaseSchema = z.object({
  _type: z.literal('release'),
  schema: z.literal('release/1'),
  family: z.string().regex(/^[a-z0-9_-]{1,32}$/),
  /** Whose fleet it is for; absent when there is one owner. */
  tenant: z.string().min(1).max(64).optional(),
  /** Rises with each release of the family and is never used twice. */
  releaseCounter: z.int().positive(),
  createdAt: z.iso.datetime(),
  compat: z.object({
    /** ONNX operator set that the model needs. */
    opset: z.int().positive(),
    /** Lowest ONNX Runtime version, "major.minor.patch". */
    minimumRuntime: z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/),
    tokenizerDigest: z.string().min(1).max(128),
    /** Most memory that running the model may take. */
    memoryBytes: z.int().positive().optional(),
  }),
  manifest: object(MAX_MANIFEST_BYTES),
  objects: z.object({ model: object(MAX_OBJECT_BYTES), vectors: object(MAX_OBJECT_BYTES) }),
})

export type Release = z.infer<typeof releaseSchema>
export type ObjectRef = Release['manifest']

export const openRelease = (bytes: Uint8Array, trust: Trust): Result<Verified<Release>, Refused> =>
  openSigned(bytes, { trust, role: 'release', maxBytes: MAX_RELEASE_BYTES, schema: releaseSchema })

/** The manifest pins everything else, so its hash names the model. */
export const modelVersion = (family: string, manifest: { readonly sha256: string }): ModelVersion =>
  `${family}@${manifest.sha256.slice(0, 12)}` as ModelVersion
