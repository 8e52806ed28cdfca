/** What is too large for memory and needed by this process alone: a file without a name, gone when it is let go. */
import { mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { heldDescriptor, readAt } from './read-at.ts'

export type ScratchFile = {
  /** Returns where the bytes lie. */
  readonly append: (bytes: Uint8Array) => number
  readonly read: (position: number, length: number) => Buffer<ArrayBuffer>
}

let opened = 0

/**
 * In the folder, which is made when missing, or where temporary files lie if it can't be written to. Throws what the file
 * system throws. The file is closed when nobody can use it any more.
 */
export const openScratchFile = (folder: string): ScratchFile => {
  const held = heldDescriptor(openNameless(folder))
  let end = 0
  return {
    append: (bytes) => {
      const start = end
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(held.descriptor, bytes, written, bytes.length - written, start + written)
      }
      end += bytes.length
      return start
    },
    read: (position, length) => readAt(held.descriptor, length, position),
  }
}

const openNameless = (folder: string): number => {
  try {
    return openNamelessIn(folder)
  } catch (cause) {
    const isRefused = cause instanceof Error && 'code' in cause && REFUSALS.has(cause.code)
    if (!isRefused) throw cause
    return openNamelessIn(tmpdir())
  }
}

const REFUSALS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'])

const openNamelessIn = (folder: string): number => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const name = join(folder, `scratch.${process.pid}.${opened++}.tmp`)
  rmSync(name, { force: true }) // of a process with this number that was killed before it had taken the name away
  const descriptor = openSync(name, 'wx+', 0o600)
  rmSync(name)
  return descriptor
}
