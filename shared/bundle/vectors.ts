/** Self-test vectors of a model (schema vectors/1): observations with the logits that its trainer got for them. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { err, ok, type Result } from '#shared/std/result.ts'

const base64 = z.base64()

const vectorsSchema = z.object({
  schema: z.literal('vectors/1'),
  cases: z
    .array(
      z.object({
        name: z.string(),
        /** Little-endian float32 numbers, as many as the layout has features, deflated: most are 0 or few levels. */
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

/** Room for the features of one case, and of all: a few deflated bytes may claim to be any number. */
const MAX_CASE_BYTES = 16 << 20
const MAX_TOTAL_BYTES = 64 << 20

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
        features: deflated(features).toString('base64'),
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
  let totalBytes = 0
  for (const { name, features, hidden, logits } of parsed.data.cases) {
    const raw = inflate(features)
    if (raw === null) return err(`${name}: features are not deflated, or are more than ${MAX_CASE_BYTES} bytes`)
    if (raw.length % 4 !== 0) return err(`${name}: ${raw.length} bytes are not float32 numbers`)
    totalBytes += raw.length
    if (totalBytes > MAX_TOTAL_BYTES) return err(`features of all cases are more than ${MAX_TOTAL_BYTES} bytes`)
    cases.push({
      name,
      features: new Float32Array(raw.buffer),
      hidden: new Uint8Array(Buffer.from(hidden, 'base64')),
      logits,
    })
  }
  return ok(cases)
}

const deflated = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  deflateRawSync(new Uint8Array(buffer, byteOffset, byteLength), { level: 9 })

const inflate = (text: string): Uint8Array<ArrayBuffer> | null => {
  try {
    const bytes = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: MAX_CASE_BYTES })
    return new Uint8Array(bytes) // a copy of its own, at an alignment that float32 numbers can have
  } catch {
    return null // the caller says what is wrong
  }
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined // what is no JSON fails the schema
  }
}
