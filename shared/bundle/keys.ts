/** Ed25519 keys. A public key is 64 hex digits (the 32 raw bytes); its id is the sha256 of those bytes. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import type { Sha256 } from '#shared/domain/ids.ts'
import { assert } from '#shared/std/assert.ts'
import { sha256Hex } from './hash.ts'

const PUBLIC_KEY = /^[0-9a-f]{64}$/

/** What may sign, and what it may sign: `release` says that a model is ours, `director` who should run it. */
export type Role = 'release' | 'director'

const roleSchema = z
  .object({ keys: z.array(z.string().regex(PUBLIC_KEY)).min(1).max(16), threshold: z.int().min(1).max(16) })
  .refine(({ keys, threshold }) => new Set(keys).size === keys.length && threshold <= keys.length, {
    message: 'keys must be distinct and at least as many as the threshold',
  })

/** What an edge believes (schema trust/1), put there with the software and never sent over the link. */
export const trustSchema = z.object({
  schema: z.literal('trust/1'),
  roles: z.object({ release: roleSchema, director: roleSchema }),
})

export type Trust = z.infer<typeof trustSchema>

export type Signer = {
  readonly keyId: Sha256
  readonly publicKey: string
  /** 128 hex digits. */
  readonly sign: (bytes: Uint8Array) => string
}

export const keyIdOf = (publicKey: string): Sha256 => sha256Hex(Buffer.from(publicKey, 'hex'))

/** A new private key as PKCS#8 PEM. */
export const generatePrivateKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** Throws when the PEM text holds no Ed25519 private key. */
export const signerOf = (privatePem: string): Signer => {
  const key = createPrivateKey(privatePem)
  assert(key.asymmetricKeyType === 'ed25519', 'not an Ed25519 key', { type: key.asymmetricKeyType })
  const publicKey = rawPublicKey(createPublicKey(key))
  return {
    keyId: keyIdOf(publicKey),
    publicKey,
    sign: (bytes) => sign(null, bytes, key).toString('hex'),
  }
}

export const isSignedBy = (publicKey: string, bytes: Uint8Array, signature: string): boolean =>
  verify(null, bytes, publicKeyObject(publicKey), Buffer.from(signature, 'hex'))

const rawPublicKey = (key: KeyObject): string => {
  const { x } = key.export({ format: 'jwk' })
  assert(x !== undefined, 'a public key without its point')
  return Buffer.from(x, 'base64url').toString('hex')
}

const publicKeyObject = (publicKey: string): KeyObject =>
  createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey, 'hex').toString('base64url') },
  })
