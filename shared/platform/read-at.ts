import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Bytes at a place of an open file, synchronously. A descriptor belongs to the whole process: any thread may read by it,
 * as often and in whatever order it likes, also after the file's name has gone. Throws when the file ends before, and
 * what the file system throws.
 */
export const readAt = (descriptor: number, length: number, position: number): Buffer<ArrayBuffer> => {
  const bytes = Buffer.from(new ArrayBuffer(length)) // of its own, so that numbers in it are aligned
  readInto(descriptor, bytes, position)
  return bytes
}

/** The same, as many bytes as there is room for. */
export const readInto = (descriptor: number, bytes: Uint8Array, position: number): void => {
  const { length } = bytes
  let filled = 0
  while (filled < length) {
    const read = readSync(descriptor, bytes, filled, length - filled, position + filled)
    if (read === 0) throw new Error(`the file ends at ${position + filled}, before ${position + length}`)
    filled += read
  }
}

const letGo = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor))

/**
 * What functions on an open file hold instead of its descriptor: the file is closed when the last of them is let go,
 * also where they have been taken out of the object that they came in.
 */
export const heldDescriptor = (descriptor: number): { readonly descriptor: number } => {
  const held = { descriptor }
  letGo.register(held, descriptor)
  return held
}

export type RandomAccess = {
  readonly size: number
  readonly read: (position: number, length: number) => Buffer<ArrayBuffer>
}

/** Throws what the file system throws. The file is closed when nobody can read it any more. */
export const openRandomAccess = (file: string): RandomAccess => {
  const held = heldDescriptor(openSync(file, 'r'))
  return {
    size: fstatSync(held.descriptor).size,
    read: (position, length) => readAt(held.descriptor, length, position),
  }
}
