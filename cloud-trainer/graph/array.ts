/** Dense float64 arrays with the few loops that evaluate operators. Clear rather than fast. */
import { assert } from '#shared/std/assert.ts'

export type NdArray = { readonly shape: readonly number[]; readonly data: Float64Array }

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, dim) => n * dim, 1)

export const array = (shape: readonly number[], data: ArrayLike<number>): NdArray => {
  assert(data.length === sizeOf(shape), 'data fill their shape', { shape, length: data.length })
  return { shape, data: Float64Array.from(data) }
}

/** Row-major steps between neighbours along each axis. */
const stridesOf = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!
  return strides
}

/** Element at `index` of a row-major walk over `shape`, as coordinates. */
const coordinates = (index: number, shape: readonly number[]): number[] => {
  const at = new Array<number>(shape.length)
  for (let i = shape.length - 1; i >= 0; i--) {
    at[i] = index % shape[i]!
    index = Math.floor(index / shape[i]!)
  }
  return at
}

/** A new array whose element at each place is computed from the place's coordinates. */
export const build = (shape: readonly number[], element: (at: readonly number[]) => number): NdArray => ({
  shape,
  data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => element(coordinates(i, shape))),
})

/** The element at these coordinates. */
export const at = ({ shape, data }: NdArray, place: readonly number[]): number => {
  const strides = stridesOf(shape)
  return data[place.reduce((index, step, i) => index + step * strides[i]!, 0)]!
}

export const map = (x: NdArray, f: (value: number) => number): NdArray => ({ shape: x.shape, data: x.data.map(f) })

const broadcastSizes = (shapes: readonly (readonly number[])[]): number[] => {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, i) =>
    shapes.reduce((size, shape) => {
      const dim = shape[i - rank + shape.length] ?? 1
      assert(dim === size || dim === 1 || size === 1, 'shapes broadcast', { shapes })
      return dim === 1 ? size : dim
    }, 1),
  )
}

/** For each element of a row-major walk over `target`: where `shape`, stretched to it, holds its value. */
const offsets = (shape: readonly number[], target: readonly number[]): Int32Array => {
  const lead = target.length - shape.length
  const strides = stridesOf(shape).map((stride, i) => (shape[i] === 1 ? 0 : stride))
  const found = new Int32Array(sizeOf(target))
  // Each axis repeats the pattern of those after it, moved by its stride.
  let length = 1
  for (let axis = target.length - 1; axis >= 0; axis--) {
    const stride = strides[axis - lead] ?? 0
    for (let k = 1; k < target[axis]!; k++) {
      for (let i = 0; i < length; i++) found[k * length + i] = found[i]! + k * stride
    }
    length *= target[axis]!
  }
  return found
}

export const zip = (arrays: readonly NdArray[], f: (...values: number[]) => number): NdArray => {
  const shape = broadcastSizes(arrays.map((a) => a.shape))
  const sources = arrays.map((a) => ({ data: a.data, from: offsets(a.shape, shape) }))
  return {
    shape,
    data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(...sources.map((s) => s.data[s.from[i]!]!))),
  }
}

/** Folds each group of elements that differ only along `axes` into one. Those axes stay, with size 1. */
export const reduce = (x: NdArray, axes: readonly number[], f: (group: readonly number[]) => number): NdArray => {
  const shape = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
  const groups = Array.from({ length: sizeOf(shape) }, (): number[] => [])
  const strides = stridesOf(shape)
  for (let i = 0; i < x.data.length; i++) {
    const place = coordinates(i, x.shape)
    let group = 0
    for (let k = 0; k < place.length; k++) if (!axes.includes(k)) group += place[k]! * strides[k]!
    groups[group]!.push(x.data[i]!)
  }
  return { shape, data: Float64Array.from(groups, f) }
}

export const reshaped = (x: NdArray, shape: readonly number[]): NdArray => array(shape, x.data)

export const transposed = (x: NdArray, permutation: readonly number[]): NdArray => {
  const shape = permutation.map((axis) => x.shape[axis]!)
  return build(shape, (place) => {
    const source = new Array<number>(place.length)
    for (const [i, axis] of permutation.entries()) source[axis] = place[i]!
    return at(x, source)
  })
}

/** Matrix product over the last two axes; the leading ones broadcast. */
export const matrixProduct = (a: NdArray, b: NdArray): NdArray => {
  const [rows, inner] = [a.shape.at(-2)!, a.shape.at(-1)!]
  const columns = b.shape.at(-1)!
  assert(inner === b.shape.at(-2), 'inner dimensions agree', { a: a.shape, b: b.shape })
  const [leadA, leadB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)]
  const batch = broadcastSizes([leadA, leadB, []])
  const [fromA, fromB] = [offsets(leadA, batch), offsets(leadB, batch)]
  const data = new Float64Array(sizeOf(batch) * rows * columns)
  for (let n = 0; n < fromA.length; n++) {
    for (let i = 0; i < rows; i++) {
      const row = (fromA[n]! * rows + i) * inner
      for (let j = 0; j < columns; j++) {
        let sum = 0
        for (let k = 0; k < inner; k++) sum += a.data[row + k]! * b.data[(fromB[n]! * inner + k) * columns + j]!
        data[(n * rows + i) * columns + j] = sum
      }
    }
  }
  return { shape: [...batch, rows, columns], data }
}
