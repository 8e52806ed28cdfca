/** Where a value stands on an axis, and which values are written beside it. */

export type Scale = {
  readonly at: (value: number) => number
  /** Rising, within the domain. */
  readonly ticks: readonly number[]
  readonly label: (tick: number) => string
}

type Ends = readonly [from: number, to: number]

/** Lowest and highest of the finite ones; [0, 1] when there are none, and never an empty range. */
export const extent = (values: readonly number[]): Ends => {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return [0, 1]
  const [low, high] = [Math.min(...finite), Math.max(...finite)]
  return low < high ? [low, high] : [low - 0.5, high + 0.5]
}

/** Steps of 1, 2 or 5 times a power of ten, at most `most` of them. */
const stepFor = ([from, to]: Ends, most: number): number => {
  const rough = (to - from) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * (1 - 1e-9))!
}

export const linearScale = (domain: Ends, range: Ends, most = 5): Scale => {
  const [from, to] = domain
  const step = stepFor(domain, most)
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const first = Math.ceil(from / step - 1e-9)
  const count = Math.floor(to / step + 1e-9) - first + 1
  return {
    at: (value) => range[0] + ((value - from) / (to - from)) * (range[1] - range[0]),
    ticks: Array.from({ length: count }, (_, i) => (first + i) * step),
    label: (tick) => tick.toFixed(digits).replace('-', '−'),
  }
}

/**
 * Of positive values; ticks at 1, 2 and 5 times powers of ten, at powers alone over more than two decades, and as on a
 * linear axis over less than half a decade.
 */
export const logScale = (domain: Ends, range: Ends): Scale => {
  const [from, to] = domain
  const [low, high] = [Math.log(from), Math.log(to)]
  const at = (value: number) => range[0] + ((Math.log(value) - low) / (high - low)) * (range[1] - range[0])
  if (to < 3 * from) return { ...linearScale(domain, range), at }
  const factors = high - low > 2 * Math.LN10 ? [1] : [1, 2, 5]
  const powers = Array.from({ length: 25 }, (_, i) => i - 12)
  return {
    at,
    ticks: powers
      .flatMap((power) => factors.map((factor) => factor * 10 ** power))
      .filter((tick) => tick >= from * (1 - 1e-9) && tick <= to * (1 + 1e-9)),
    label: (tick) => `${Number(tick.toPrecision(1))}`,
  }
}
