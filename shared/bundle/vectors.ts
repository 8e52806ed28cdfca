/** Self-test vectors of a model (schema vectors/1): observations with the logits that its trainer got for them. */
import { z } from 'zod'
import { err, ok, type Result } from '#shared/std/result.ts'

const base64 = z.base64()

export const vectorsSchema = z.object({
  schema: z.literal('vectors/1'),
  cases: z
    .array(
      z.object({
        name: z.string(),
        /** Little-endian float32 numbers, as many as the layout has features. */
        features: base64,
        /** A byte for each slot, 1 = hidden. */
        hidden: base64,
        /** Uncalibrated, in the order of the manifest's labels. */
        logits: z.array(z.number()).min(1),
      }),
    )
    .min(1)
    .max(1024),
})

export type SelfTestCase = {
  readonly name: string
  readonly features: Float32Array
  readonly hidden: Uint8Array
  readonly logits: readonly number[]
}

export const encodeVectors = (cases: readonly SelfTestCase[]): Uint8Array =>
  Buffer.from(
    JSON.stringify({
      schema: 'vectors/1',
      cases: cases.map(({ name, features, hidden, logits }) => ({
        name,
        features: Buffer.from(features.buffer, features.byteOffset, features.byteLength).toString('base64'),
        hidden: Buffer.from(hidden).toString('base64'),
        logits,
      })),
    }),
  )

/** The error says what is wrong; nothing throws, whatever the bytes are. */
export const decodeVectors = (bytes: Uint8Array): Result<readonly SelfTestCase[], string> => {
  const parsed = vectorsSchema.safeParse(parseJson(bytes))
  if (!parsed.success) return err(z.prettifyError(parsed.error))
  const cases: SelfTestCase[] = []
  for (const { name, features, hidden, logits } of parsed.data.cases) {
    // A copy of its own: base64 buffers come from a pool at any alignment.
    const raw = new Uint8Array(Buffer.from(features, 'base64'))
    if (raw.length % 4 !== 0) return err(`${name}: ${raw.length} bytes are not float32 numbers`)
    cases.push({
      name,
      features: new Float32Array(raw.buffer),
      hidden: new Uint8Array(Buffer.from(hidden, 'base64')),
      logits,
    })
  }
  return ok(cases)
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined // what is no JSON fails the schema
  }
}
