/** Room and durability of the state folder, and whether the clock can be true. */
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type Check, fail, okay, warn } from './check.ts'

const LITTLE_BYTES = 1 << 30
const TOO_LITTLE_BYTES = 64 << 20
const SLOW_SYNC_MS = 200
const SYNCS = 5
/** Before this program existed. */
const CLOCK_FLOOR_MS = Date.UTC(2026, 0, 1)
const YEAR_MS = 366 * 86_400_000

export const freeBytesOf = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

export const checkRoom = async (folder: string): Promise<Check> => {
  const freeBytes = await makeFolder(folder).catch(String)
  if (typeof freeBytes === 'string') return fail('disk room', freeBytes, `let this user write to ${folder}`)
  const found = `${megabytes(freeBytes)} free in ${folder}`
  if (freeBytes < TOO_LITTLE_BYTES) return fail('disk room', found, 'free some room: nothing can be stored soon')
  return freeBytes < LITTLE_BYTES
    ? warn('disk room', found, 'free some room, or use a larger card')
    : okay('disk room', found)
}

const makeFolder = async (folder: string): Promise<number> => {
  await mkdir(folder, { recursive: true })
  return freeBytesOf(folder)
}

/** Writes and syncs a file as every commit does. */
export const checkSync = async (folder: string): Promise<Check> => {
  const file = join(folder, `doctor-${process.pid}.tmp`)
  try {
    await mkdir(folder, { recursive: true })
    const worstMs = await worstSync(file)
    const found = `slowest of ${SYNCS} synced writes ${worstMs.toFixed(1)} ms`
    return worstMs > SLOW_SYNC_MS
      ? warn('disk writes', found, 'slow or worn card: replace it soon')
      : okay('disk writes', found)
  } catch (cause) {
    return fail('disk writes', String(cause), `let this user write to ${folder}`)
  } finally {
    await rm(file, { force: true }).catch(() => {}) // what could not be made need not go; anything else was told above
  }
}

const worstSync = async (file: string): Promise<number> => {
  await using handle = await open(file, 'w')
  let worstMs = 0
  for (let i = 0; i < SYNCS; i++) {
    const startMs = performance.now()
    await handle.write(Buffer.alloc(4096, i))
    await handle.sync()
    worstMs = Math.max(worstMs, performance.now() - startMs)
  }
  return worstMs
}

/** `knownMs`: a time that has certainly passed, such as that of the newest stored message; null when there is none. */
export const checkClock = (nowMs: number, knownMs: number | null): Check => {
  const found = new Date(nowMs).toISOString()
  const advice = 'set the clock (NTP, GPS or a battery-backed clock): times of readings and certificates depend on it'
  if (nowMs < CLOCK_FLOOR_MS) return fail('clock', `${found} is a clock that was reset`, advice)
  if (nowMs > CLOCK_FLOOR_MS + 20 * YEAR_MS) return fail('clock', `${found} is far in the future`, advice)
  if (knownMs !== null && nowMs < knownMs - 60_000)
    return warn('clock', `${found} lies before ${new Date(knownMs).toISOString()}, when a message was stored`, advice)
  return okay('clock', found)
}
