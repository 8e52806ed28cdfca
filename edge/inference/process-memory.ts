/** Memory of another process, and limits on it, where the system can tell and set them (Linux). */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

/** Resident memory, and data in the sense of `RLIMIT_DATA` (private and writable, reserved included). */
export type ProcessMemory = { readonly residentBytes: number; readonly dataBytes: number }

/** Null when the process is gone, or where there is no /proc. */
export const memoryOf = (pid: number): ProcessMemory | null => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const bytes = (name: string): number =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
    return { residentBytes: bytes('VmRSS'), dataBytes: bytes('VmData') }
  } catch {
    return null // as documented
  }
}

/**
 * Lets a running process take `moreBytes` of data beyond what it holds, and `cpuSeconds` of processor time in all.
 * Beyond the first an allocation fails, beyond the second the kernel ends it, whether or not its parent still
 * lives. Node reserves half a gigabyte that it doesn't use, so the limit starts from what is held now. False where
 * the system has no such limits.
 */
export const limitProcess = async (
  pid: number,
  { moreBytes, cpuSeconds }: { readonly moreBytes: number; readonly cpuSeconds: number },
): Promise<boolean> => {
  const memory = memoryOf(pid)
  if (memory === null) return false
  try {
    const data = Math.ceil(memory.dataBytes + moreBytes)
    await promisify(execFile)('prlimit', ['--pid', `${pid}`, `--data=${data}`, `--cpu=${Math.ceil(cpuSeconds)}`])
    return true
  } catch {
    return false // no prlimit here; the watch on resident memory remains
  }
}
