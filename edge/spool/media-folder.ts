/** Raw media under their hash, `<folder>/<sha256>`: synced with their names before the row that mentions them. */
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '#shared/domain/ids.ts'
import { syncFolder } from '#shared/platform/atomic-file.ts'
import { assert } from '#shared/std/assert.ts'

export type MediaFile = { readonly sha256: Sha256; readonly bytes: Uint8Array }

export type MediaFolder = {
  /** All of them are durable when it resolves. Throws what the file system throws; may be repeated. */
  readonly keep: (files: readonly MediaFile[]) => Promise<void>
  readonly pathOf: (sha256: Sha256) => string
}

export const openMediaFolder = async (folder: string): Promise<MediaFolder> => {
  await mkdir(folder, { recursive: true })
  const pathOf = (sha256: Sha256) => {
    assert(isSha256(sha256), 'only hashes become file names', { sha256 })
    return join(folder, sha256)
  }
  /** False: it is here already. A name is given only to whole and synced files, so its presence is enough. */
  const write = async ({ sha256, bytes }: MediaFile): Promise<boolean> => {
    const file = pathOf(sha256)
    if ((await stat(file).catch(() => null)) !== null) return false
    const part = `${file}.part`
    {
      await using handle = await open(part, 'w', 0o600)
      await handle.writeFile(bytes)
      await handle.datasync()
    }
    await rename(part, file)
    return true
  }
  return {
    pathOf,
    keep: async (files) => {
      const distinct = [...new Map(files.map((file) => [file.sha256, file])).values()]
      const isNew = await Promise.all(distinct.map(write))
      if (isNew.includes(true)) await syncFolder(folder)
    },
  }
}
