/** When a reading was made, in the sensor's own words. An unknown time stays unknown; a reset clock is no time. */
import { err, ok, type Result } from '#shared/std/result.ts'
import type { Fault } from './fault.ts'

const DAY_MS = 86_400_000

/**
 * Clocks without power start again at 1970, 1980 (GPS, FAT), 2000 or year 1: until 1 January 2000 has ended
 * everywhere on earth, nothing is a time.
 */
const EARLIEST_MS = Date.UTC(2000, 0, 2, 12)
/** A station that believes in a day before this program was written can't judge anybody's future. */
const PLAUSIBLE_NOW_MS = Date.UTC(2025, 0, 1)

// RFC 3339 with the liberties of ISO 8601 that loggers take: no seconds, any number of decimals, +0200, +02.
const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/

/** Milliseconds since 1970 UTC of an ISO 8601 time with offset (24:00 and leap seconds excluded), or null. */
export const parseInstant = (text: string): number | null => {
  const match = INSTANT.exec(text)
  if (match === null) return null
  const part = (index: number): number => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  const offsetMinutes = (match[8] === '-' ? -1 : 1) * (60 * part(9) + part(10))
  if (hour > 23 || minute > 59 || second > 59 || part(9) > 23 || part(10) > 59) return null
  // Years below 100 mean 19xx to Date.UTC, so the date is set in parts.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // 31 April would have become 1 May.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const milliseconds = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000)
  return date.getTime() + ((hour * 60 + minute - offsetMinutes) * 60 + second) * 1000 + milliseconds
}

/** `nowMs` is the station's clock; it only judges the future when it is plausible itself. */
export const observedTime = (text: string | null, nowMs: number): Result<number | null, Fault> => {
  if (text === null) return ok(null)
  const fault = (reason: Fault['reason'], problem: string) => err({ reason, detail: `observed_at: ${problem}` })
  const atMs = parseInstant(text)
  const shown = JSON.stringify(text.slice(0, 40))
  if (atMs === null) return fault('wrong-schema', `${shown} is no ISO 8601 time with an offset`)
  if (atMs < EARLIEST_MS) return fault('clock-reset', `${shown} is the date of a reset clock`)
  if (nowMs >= PLAUSIBLE_NOW_MS && atMs > nowMs + DAY_MS)
    return fault('clock-reset', `${shown} is more than a day after the station's ${new Date(nowMs).toISOString()}`)
  return ok(atMs)
}
