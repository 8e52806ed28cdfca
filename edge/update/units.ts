/** A file as units of equal size, the last one perhaps shorter; a bitmap says which are here (bit set = here). */

export const unitCount = (length: number, unitBytes: number): number => Math.ceil(length / unitBytes)

export const unitLength = (length: number, unitBytes: number, unit: number): number =>
  Math.min(unitBytes, length - unit * unitBytes)

export const emptyBitmap = (units: number): Buffer => Buffer.alloc(Math.ceil(units / 8))

export const setUnit = (bitmap: Uint8Array, unit: number): void => {
  bitmap[unit >> 3] = (bitmap[unit >> 3] ?? 0) | (1 << (unit & 7))
}

export const hasUnit = (bitmap: Uint8Array, unit: number): boolean =>
  ((bitmap[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0

export const missingUnits = (bitmap: Uint8Array, units: number): readonly number[] => {
  const missing: number[] = []
  for (let unit = 0; unit < units; unit++) if (!hasUnit(bitmap, unit)) missing.push(unit)
  return missing
}

/** Rising units as inclusive ranges, at most `maxRanges` of them; what doesn't fit is left for the next request. */
export const rangesOf = (units: readonly number[], maxRanges: number): [number, number][] => {
  const ranges: [number, number][] = []
  for (const unit of units) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === unit - 1) last[1] = unit
    else if (ranges.length < maxRanges) ranges.push([unit, unit])
    else break
  }
  return ranges
}

/**
 * Units asked for at once: halved when some didn't come, two more when all did. What is on its way when a link
 * breaks is lost, so the window must settle well below what passes between two breaks.
 */
export const nextWindow = (window: number, outcome: 'complete' | 'silent'): number =>
  outcome === 'complete' ? Math.min(64, window + 2) : Math.max(1, Math.floor(window / 2))
