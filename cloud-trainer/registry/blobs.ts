/** Files of the registry, each under its hash: whole or absent. */
import { copyFile, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { ObjectRef } from '#shared/bundle/release.ts'
import { syncFolder, writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { isFileIntact } from '#shared/platform/hashed-file.ts'
import { RegistryError } from './registry-error.ts'

/** Files are found by their hash, whatever they are called in the bundle. */
export const takeIn = async (
  bundleFolder: string,
  expected: { readonly sha256: string; readonly length: number },
  blobs: string,
): Promise<void> => {
  const target = join(blobs, expected.sha256)
  if (await isFileIntact(target, expected)) return
  const source = await findFile(bundleFolder, expected)
  const part = `${target}.part`
  await copyFile(source, part)
  if (!(await isFileIntact(part, expected))) {
    await rm(part, { force: true })
    throw new RegistryError('bad-bundle', `${source} changed while it was copied`)
  }
  {
    await using handle = await open(part, 'r+')
    await handle.sync()
  }
  await rename(part, target)
  await syncFolder(blobs)
}

const findFile = async (
  bundleFolder: string,
  expected: { readonly sha256: string; readonly length: number },
): Promise<string> => {
  for (const entry of await readdir(bundleFolder, { withFileTypes: true })) {
    const file = join(bundleFolder, entry.name)
    if (entry.isFile() && (await isFileIntact(file, expected))) return file
  }
  throw new RegistryError(
    'bad-bundle',
    `${bundleFolder} holds no file with the hash ${expected.sha256} of its manifest`,
  )
}

export const takeInBytes = async (bytes: Uint8Array, blobs: string): Promise<ObjectRef> => {
  const reference = { sha256: sha256Hex(bytes), length: bytes.length }
  const target = join(blobs, reference.sha256)
  if (!(await isFileIntact(target, reference))) await writeFileAtomic(target, bytes)
  return reference
}

export const lengthOf = async (file: string): Promise<number | null> => {
  try {
    await using handle = await open(file, 'r')
    return (await handle.stat()).size
  } catch (cause) {
    if (isAbsence(cause)) return null
    throw cause
  }
}

export const isAbsence = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
