/** Files checked against the hash that names them. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

export type FileDigest = { readonly sha256: string; readonly length: number }

const CHUNK_BYTES = 1 << 20

/** Reads the whole file, with 1 MiB of memory. Null when there is none; throws what else the file system throws. */
export const digestFile = async (file: string): Promise<FileDigest | null> => {
  try {
    await using handle = await open(file, 'r')
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, null)
      if (bytesRead === 0) return { sha256: hash.digest('hex'), length }
      hash.update(chunk.subarray(0, bytesRead))
      length += bytesRead
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

export const isFileIntact = async (file: string, expected: FileDigest): Promise<boolean> => {
  const found = await digestFile(file)
  return found !== null && found.length === expected.length && found.sha256 === expected.sha256
}
