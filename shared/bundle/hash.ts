import { createHash } from 'node:crypto'
import type { Sha256 } from '#shared/domain/ids.ts'

export const sha256Hex = (bytes: Uint8Array | string): Sha256 =>
  createHash('sha256').update(bytes).digest('hex') as Sha256
