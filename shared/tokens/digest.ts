import { createHash } from 'node:crypto'
import type { ModalitySpec } from '#shared/domain/modality.ts'

/** Rises whenever equal specs and readings would give other tokens. The golden vectors tell when that is. */
const TOKENIZER_VERSION = 1

/**
 * sha256 hex of the specs, keys sorted at every level, and of the tokenizer's version. The order of the
 * specs and of their variables counts, because it numbers the slots; the order of keys doesn't.
 */
export const tokenizerDigest = (specs: readonly ModalitySpec[]): string =>
  createHash('sha256')
    .update(JSON.stringify({ version: TOKENIZER_VERSION, specs }, sortKeys))
    .digest('hex')

const sortKeys = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value
