/**
 * What a station and its inference process say to each other, by structured cloning over an IPC channel. The
 * process is asked one thing at a time and gives one reply to each request. Replies are parsed like anything from
 * outside, because the process runs a model that came from elsewhere.
 */
import { z } from 'zod'
import type { SessionOptions } from '#shared/platform/ort.ts'
import type { TensorFeed } from '#shared/tokens/batch.ts'

export type Provider = NonNullable<SessionOptions['provider']>

export type LoadRequest = {
  readonly kind: 'load'
  /** A path, or the bytes themselves. */
  readonly model: string | Uint8Array
  readonly threads: number
  readonly provider: Provider
}

/** The output to fetch, of rank 2. */
export type RunRequest = {
  readonly kind: 'run'
  readonly feeds: Readonly<Record<string, TensorFeed>>
  readonly output: string
}

export type Request = LoadRequest | RunRequest

const size = z.int().nonnegative()

const tensorInfo = z.object({
  name: z.string().max(256),
  type: z.string().max(16),
  /** A number, or the name of a dimension that varies. */
  shape: z.array(z.union([size, z.string().max(256)])).max(8),
})

const replySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), memoryBytes: size }),
  z.object({
    kind: z.literal('loaded'),
    memoryBytes: size,
    graph: z.object({
      opset: size,
      irVersion: size,
      inputs: z.array(tensorInfo).max(1024),
      outputs: z.array(tensorInfo).max(1024),
    }),
  }),
  z.object({
    kind: z.literal('answered'),
    memoryBytes: size,
    shape: z.tuple([size, size]),
    data: z.custom<Float32Array>((data) => data instanceof Float32Array),
  }),
  z.object({ kind: z.literal('refused'), memoryBytes: size, reason: z.string().max(1000) }),
])

/** `memoryBytes` is the process's resident memory. */
export type Reply = z.output<typeof replySchema>
export type TensorInfo = z.infer<typeof tensorInfo>
export type GraphInfo = Extract<Reply, { kind: 'loaded' }>['graph']

export const parseReply = (message: unknown): Reply | null => {
  const parsed = replySchema.safeParse(message)
  return parsed.success ? parsed.data : null
}
