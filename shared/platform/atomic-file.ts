/** Files that are whole or absent, also after a power cut: write beside, sync, rename, sync the folder. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the names in a folder durable. Not every platform can; where it can't, rename is all there is. */
export const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === 'win32') return
  await using handle = await open(folder, 'r')
  await handle.sync()
}

/** Replaces `file` by `bytes` (or pieces of them), atomically and durably. Throws what the file system throws; the old file then stands. */
export const writeFileAtomic = async (
  file: string,
  bytes: Uint8Array | string | Iterable<Uint8Array>,
): Promise<void> => {
  const part = `${file}.${process.pid}.tmp`
  try {
    await using handle = await open(part, 'w', 0o600)
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (cause) {
    await rm(part, { force: true })
    throw cause
  }
  await rename(part, file)
  await syncFolder(dirname(file))
}
