/** Files of a data folder; what is absent or no JSON is a DatasetError that names the file. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatasetError } from './dataset-error.ts'

export const isNoSuchFile = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

/** The file system's own words don't say which file is a folder; any other error as it is. */
export const naming = (file: string, error: unknown): unknown =>
  error instanceof Error && 'code' in error && error.code === 'EISDIR'
    ? new DatasetError('missing-file', 'this is a folder, not a file', { file }, { cause: error })
    : error

export const readBytes = async (folder: string, file: string): Promise<Buffer> => {
  const bytes = await readIfThere(folder, file)
  if (bytes === null) throw new DatasetError('missing-file', 'there is no such file', { file })
  return bytes
}

export const readIfThere = async (folder: string, file: string): Promise<Buffer | null> => {
  try {
    return await readFile(join(folder, file))
  } catch (error) {
    if (isNoSuchFile(error)) return null
    if (error instanceof Error && 'code' in error && error.code === 'ERR_FS_FILE_TOO_LARGE') {
      throw new DatasetError('wrong-size', 'files beyond 2 GiB are not read; split it', { file }, { cause: error })
    }
    throw naming(file, error)
  }
}

/** A byte order mark, as some editors write it, is no part of the text. */
export const parseJson = (bytes: Buffer, file: string): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw new DatasetError('bad-description', 'not JSON', { file }, { cause: error })
  }
}
