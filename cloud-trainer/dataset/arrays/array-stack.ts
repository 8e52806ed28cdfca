/** An array that lies in a file, row by row along its first axis: where the format allows it, no more than that is read. */
import { join } from 'node:path'
import { openRandomAccess } from '#shared/platform/read-at.ts'
import { DatasetError } from '../dataset-error.ts'
import { isNoSuchFile, naming } from '../folder-files.ts'
import { type LoadedArray, readArrayFile } from './array-file.ts'
import { decodeElements, ELEMENT_BYTES, type ElementType } from './elements.ts'
import { NPY_HEADER_BYTES, npyHeader } from './npy.ts'
import { safetensorsIndex } from './safetensors.ts'

export type ArrayStack = {
  readonly shape: readonly number[]
  /** Numbers or texts of so many rows from one on, in C order. Throws DatasetError. */
  readonly rows: (first: number, count: number) => LoadedArray['values']
}

/** .npy in C order and .safetensors are read by position; all else as a whole. Throws DatasetError. */
export const openStack = async (folder: string, file: string, array: string): Promise<ArrayStack> =>
  openByPosition(folder, file, array) ?? wholly((await readArrayFile(folder, file)).read(array))

const rowSize = (shape: readonly number[]): number => shape.slice(1).reduce((product, n) => product * n, 1)

const wholly = ({ shape, values }: LoadedArray): ArrayStack => {
  const size = rowSize(shape)
  return {
    shape,
    rows: (first, count) =>
      ArrayBuffer.isView(values)
        ? values.subarray(first * size, (first + count) * size)
        : values.slice(first * size, (first + count) * size),
  }
}

const openByPosition: typeof byPosition = (folder, file, array) => {
  try {
    return byPosition(folder, file, array)
  } catch (error) {
    throw naming(file, error)
  }
}

const byPosition = (folder: string, file: string, array: string): ArrayStack | null => {
  const isNpy = file.toLowerCase().endsWith('.npy') && array === ''
  if (!isNpy && !file.toLowerCase().endsWith('.safetensors')) return null
  const { size, read } = openFile(folder, file)
  if (isNpy) {
    const { type, isFortran, shape, start } = npyHeader(read(0, Math.min(size, NPY_HEADER_BYTES)), size, file)
    if ('text' in type || (isFortran && shape.length > 1)) return null
    return stackAt({ type: type.number, shape, start, file }, read)
  }
  const tensor = safetensorsIndex(read, size, file).get(array)
  return tensor === undefined ? null : stackAt({ ...tensor, start: tensor.from, file }, read)
}

const stackAt = (
  at: {
    readonly type: ElementType
    readonly shape: readonly number[]
    readonly start: number
    readonly file: string
  },
  read: (position: number, length: number) => Uint8Array,
): ArrayStack => {
  const { type, shape, start, file } = at
  const bytes = ELEMENT_BYTES[type] * rowSize(shape)
  const rowBytes = (first: number, count: number): Uint8Array => {
    try {
      return read(start + first * bytes, count * bytes)
    } catch (cause) {
      throw new DatasetError('wrong-size', `row ${first} can't be read any more`, { file }, { cause })
    }
  }
  return { shape, rows: (first, count) => decodeElements(rowBytes(first, count), type, file) }
}

const openFile = (folder: string, file: string) => {
  try {
    return openRandomAccess(join(folder, file))
  } catch (cause) {
    if (!isNoSuchFile(cause)) throw cause
    throw new DatasetError('missing-file', 'there is no such file', { file }, { cause })
  }
}
