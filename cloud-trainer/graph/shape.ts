/**
 * Shapes with symbols. A dimension is a number, a symbol (`'B'`), or a product of both (`'8*B*K'`, factors
 * sorted, number first), so that equal sizes have equal spellings. Two symbols are equal only if they are
 * the same; nothing is assumed about their values.
 */

export type Dim = number | string
export type Shape = readonly Dim[]

/** Why operands don't fit together. The graph adds the operator and the layer's path. */
export class ShapeError extends Error {
  readonly code = 'shape'
  constructor(message: string) {
    super(message)
    this.name = 'ShapeError'
  }
}

export const refuse = (reason: string): never => {
  throw new ShapeError(reason)
}

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i])

type Factors = { readonly count: number; readonly symbols: readonly string[] }

const factors = (dim: Dim): Factors => {
  if (typeof dim === 'number') return { count: dim, symbols: [] }
  const parts = dim.split('*')
  const count = Number(parts[0])
  return Number.isNaN(count) ? { count: 1, symbols: parts } : { count, symbols: parts.slice(1) }
}

const join = ({ count, symbols }: Factors): Dim => {
  if (symbols.length === 0) return count
  const sorted = [...symbols].sort()
  return count === 1 ? sorted.join('*') : [count, ...sorted].join('*')
}

export const product = (dims: Shape): Dim => {
  const all = dims.map(factors)
  return join({ count: all.reduce((n, f) => n * f.count, 1), symbols: all.flatMap((f) => f.symbols) })
}

/** The dimension that gives `total` when multiplied by `part`, or null when there is none. */
export const quotient = (total: Dim, part: Dim): Dim | null => {
  const whole = factors(total)
  const divisor = factors(part)
  if (divisor.count === 0 || whole.count % divisor.count !== 0) return null
  const symbols = [...whole.symbols]
  for (const symbol of divisor.symbols) {
    const at = symbols.indexOf(symbol)
    if (at < 0) return null
    symbols.splice(at, 1)
  }
  return join({ count: whole.count / divisor.count, symbols })
}

/** Dimensions aligned at the last axis; 1 stretches to anything, and nothing else stretches. */
export const broadcastShapes = (a: Shape, b: Shape): Shape => {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1
    const right = b[i - rank + b.length] ?? 1
    if (left === right || right === 1) return left
    return left === 1 ? right : refuse(`${showShape(a)} and ${showShape(b)} do not broadcast`)
  })
}

/** A non-negative axis; negative ones count from the end. */
export const axisOf = (axis: number, shape: Shape): number => {
  const positive = axis < 0 ? axis + shape.length : axis
  if (positive < 0 || positive >= shape.length) return refuse(`axis ${axis} is not in ${showShape(shape)}`)
  return positive
}
