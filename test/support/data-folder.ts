/** Folders of data, made for one test. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type Files = Readonly<Record<string, string | Uint8Array>>

/** Folders are made when missing. */
export const writeFolder = async (folder: string, files: Files): Promise<void> => {
  for (const [file, data] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), data)
  }
}

/** The folder is gone when this ends. */
export const withFolder = async <T>(files: Files, use: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'dataset-'))
  try {
    await writeFolder(folder, files)
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
