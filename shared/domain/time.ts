/** Where a record's time came from (field rules: an unknown time stays unknown). */
type ClockSource = 'gps' | 'ntp' | 'rtc' | 'host' | 'none'

export type ClockBlock = {
  readonly source: ClockSource
  /** Estimated error of the clock; absent when nobody knows. */
  readonly errorSeconds?: number
  /** When the clock was last set, as written by the device. */
  readonly syncedAt?: string
}

/** Half-open span of time, ms since 1970-01-01T00:00Z. */
export type TimeWindow = { readonly startMs: number; readonly endMs: number }
