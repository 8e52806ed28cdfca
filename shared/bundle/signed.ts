/**
 * Signed documents: {"signed": {...}, "signatures": [{"keyid", "sig"}]}. Nothing inside `signed` is looked at
 * before enough distinct keys have vouched for its canonical bytes; each step before that is bounded.
 */
import { z } from 'zod'
import type { Sha256 } from '#shared/domain/ids.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { type CanonicalRefusal, canonicalBytes, MAX_DEPTH } from './canonical.ts'
import { sha256Hex } from './hash.ts'
import { isSignedBy, keyIdOf, type Role, type Signer, type Trust } from './keys.ts'

type SignedRefusal =
  | CanonicalRefusal
  | 'too-long'
  | 'not-utf8'
  | 'malformed-json'
  | 'wrong-envelope'
  | 'too-few-signatures'
  | 'wrong-content'

export type Refused = { readonly code: SignedRefusal; readonly detail: string }

/** A verified document, and the hash of the canonical bytes that were signed (its identity, however it is spelled). */
export type Verified<T> = { readonly value: T; readonly signedSha256: Sha256 }

const MAX_SIGNATURES = 16

const envelopeSchema = z.object({
  // A record would copy the object and with it drop keys; the signature is about the object as parsed.
  signed: z.custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
  signatures: z
    .array(z.object({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: z.string().regex(/^[0-9a-f]{128}$/) }))
    .min(1)
    .max(MAX_SIGNATURES)
    .refine((list) => new Set(list.map(({ keyid }) => keyid)).size === list.length, 'a key signs once'),
})

/** Throws when the value can't be signed (fractions, ill-formed text): that is a bug of the caller. */
export const signDocument = (signed: object, signers: readonly Signer[]): Uint8Array => {
  const bytes = canonicalBytes(signed)
  if (!bytes.ok) throw new TypeError(`this document can't be signed: ${bytes.error}`)
  const signatures = signers.map((signer) => ({ keyid: signer.keyId, sig: signer.sign(bytes.value) }))
  return Buffer.from(JSON.stringify({ signed, signatures }))
}

export type OpenOptions<T> = {
  readonly trust: Trust
  readonly role: Role
  /** Longer documents are refused unread. */
  readonly maxBytes: number
  /** Of the signed part; it must pin `_type`, so that a signature serves one purpose only. */
  readonly schema: z.ZodType<T>
}

/** Verifies, then interprets. Every refusal carries a code; nothing throws, whatever the bytes are. */
export const openSigned = <T>(bytes: Uint8Array, options: OpenOptions<T>): Result<Verified<T>, Refused> => {
  const { maxBytes, schema } = options
  if (bytes.length > maxBytes) return refuse('too-long', `${bytes.length} bytes, at most ${maxBytes}`)
  const text = decodeUtf8(bytes)
  if (text === null) return refuse('not-utf8', 'the bytes are no UTF-8 text')
  if (!isShallow(text)) return refuse('too-deep', `nested deeper than ${MAX_DEPTH + 1} levels`)
  const json = parseJson(text)
  if (json === undefined) return refuse('malformed-json', 'the text is no JSON')
  const envelope = envelopeSchema.safeParse(json)
  if (!envelope.success) return refuse('wrong-envelope', z.prettifyError(envelope.error))
  const { signed, signatures } = envelope.data
  const canonical = canonicalBytes(signed)
  if (!canonical.ok) return refuse(canonical.error, 'the signed part has no unambiguous canonical form')
  const { keys, threshold } = options.trust.roles[options.role]
  const vouching = countVouching(canonical.value, signatures, keys)
  if (vouching < threshold) {
    return refuse('too-few-signatures', `${vouching} of ${threshold} needed ${options.role} keys have signed`)
  }
  const content = schema.safeParse(signed)
  if (!content.success) return refuse('wrong-content', z.prettifyError(content.error))
  return ok({ value: content.data, signedSha256: sha256Hex(canonical.value) })
}

const refuse = (code: SignedRefusal, detail: string) => err<Refused>({ code, detail })

const decodeUtf8 = (bytes: Uint8Array): string | null => {
  try {
    // A byte order mark is kept, so that JSON.parse refuses it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null // fatal: true throws exactly on ill-formed bytes
  }
}

/** Counts brackets outside strings. On text that is no JSON the count means nothing, and the parser refuses it. */
const isShallow = (text: string): boolean => {
  let depth = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (isInString) {
      if (c === 0x5c) i++
      else if (c === 0x22) isInString = false
    } else if (c === 0x22) isInString = true
    else if (c === 0x5b || c === 0x7b) {
      // The envelope is one level around the signed part.
      if (++depth > MAX_DEPTH + 1) return false
    } else if (c === 0x5d || c === 0x7d) depth--
  }
  return true
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no JSON text means undefined, so it can stand for "malformed"
  }
}

const countVouching = (
  bytes: Uint8Array,
  signatures: readonly { readonly keyid: string; readonly sig: string }[],
  trusted: readonly string[],
): number => {
  const byId = new Map(trusted.map((key) => [keyIdOf(key) as string, key]))
  return signatures.filter(({ keyid, sig }) => {
    const key = byId.get(keyid)
    return key !== undefined && isSignedBy(key, bytes, sig)
  }).length
}
