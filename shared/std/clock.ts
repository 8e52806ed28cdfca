/** Time is handed in, never taken: core functions get numbers, shells get a Clock. */
export type Clock = {
  /** Wall clock in ms since 1970-01-01T00:00Z. It may jump. */
  readonly nowMs: () => number
  /** Milliseconds since an arbitrary start; never goes back. Durations use this one. */
  readonly monotonicMs: () => number
}
