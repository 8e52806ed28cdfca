/** Operators that only move elements. */
import { at, build, type NdArray, reshaped, transposed, zip } from '../array.ts'
import { intsOf, numberOf } from '../attributes.ts'
import {
  axisOf,
  broadcastShapes,
  type Dim,
  product,
  quotient,
  refuse,
  type Shape,
  sameShape,
  showShape,
} from '../shape.ts'
import type { Op, Value } from '../types.ts'
import { contentsOf, expectType, knownNumbers, oneType } from './infer.ts'

/** Sizes of a Reshape target: 0 copies the size at its place, −1 takes what is left. */
const reshapeTarget = (shape: Shape, target: Shape): Shape => {
  const sizes = target.map((dim, i) => (dim === 0 ? (shape[i] ?? refuse(`no axis ${i} to copy`)) : dim))
  const open = sizes.indexOf(-1)
  if (open !== sizes.lastIndexOf(-1)) refuse('only one size of a target can be left open')
  const whole = product(shape)
  if (open >= 0) {
    const known = product(sizes.filter((_, i) => i !== open))
    sizes[open] = quotient(whole, known) ?? refuse(`${showShape(sizes)} does not divide ${whole} elements`)
  }
  return product(sizes) === whole ? sizes : refuse(`${showShape(sizes)} does not hold ${whole} elements`)
}

/** The size of a Concat along its axis: a sum, which has a spelling only when all parts are numbers. */
const joinedSize = (dims: readonly Dim[]): Dim => {
  const symbols = dims.filter((dim) => typeof dim === 'string')
  if (symbols.length === 0) return dims.reduce<number>((sum, dim) => sum + Number(dim), 0)
  return `(${dims.map((dim) => `${dim}`.replaceAll('*', '·')).join('+')})`
}

const slice = (x: NdArray, axis: number, from: number, to: number): NdArray =>
  build(
    x.shape.map((dim, i) => (i === axis ? to - from : dim)),
    (place) =>
      at(
        x,
        place.map((k, i) => (i === axis ? k + from : k)),
      ),
  )

/** Start and end along one axis of a Slice, with ONNX's clamping of ends beyond the size. */
const sliceBounds = (shape: Shape, start: number, end: number, axis: number): [number, number, number] => {
  const k = axisOf(axis, shape)
  const size = shape[k]!
  if (typeof size !== 'number') return refuse(`axis ${axis} has no known size to cut`)
  const clamp = (place: number) => Math.min(Math.max(place < 0 ? place + size : place, 0), size)
  return [k, clamp(start), clamp(end)]
}

/** Shape without (`squeeze`) or with (`unsqueeze`) axes of size 1. */
const squeezed = (shape: Shape, axes: readonly number[]): Shape => {
  const gone = axes.map((axis) => axisOf(axis, shape))
  for (const axis of gone) if (shape[axis] !== 1) refuse(`axis ${axis} has size ${shape[axis]}, not 1`)
  return shape.filter((_, i) => !gone.includes(i))
}

const unsqueezed = (shape: Shape, axes: readonly number[]): Shape => {
  const rank = shape.length + axes.length
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)))
  const rest = [...shape]
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : rest.shift()!))
}

const withAxes = (change: (shape: Shape, axes: readonly number[]) => Shape): Op => ({
  domain: '',
  since: 21,
  arity: [2, 2],
  attributes: {},
  infer: ([x, axes]) => [{ type: x!.type, shape: change(x!.shape, knownNumbers(axes!)) }],
  evaluate: ([x, axes]) => [reshaped(x!, change(x!.shape, [...axes!.data]).map(Number))],
})

export const LAYOUT = {
  Squeeze: withAxes(squeezed),
  Unsqueeze: withAxes(unsqueezed),
  Transpose: {
    domain: '',
    since: 21,
    arity: [1, 1],
    attributes: { perm: 'ints' },
    infer: ([x], attributes) => {
      const permutation = intsOf(attributes, 'perm') ?? refuse('wants a permutation')
      if (!sameShape([...permutation].sort(), [...x!.shape.keys()]))
        refuse(`[${permutation}] does not permute its axes`)
      return [{ type: x!.type, shape: permutation.map((axis) => x!.shape[axis]!) }]
    },
    evaluate: ([x], attributes) => [transposed(x!, intsOf(attributes, 'perm')!)],
  },
  Reshape: {
    domain: '',
    since: 21,
    arity: [2, 2],
    attributes: {},
    infer: ([x, target]) => [{ type: x!.type, shape: reshapeTarget(x!.shape, contentsOf(target!)) }],
    evaluate: ([x, target]) => [reshaped(x!, reshapeTarget(x!.shape, [...target!.data]).map(Number))],
  },
  Expand: {
    domain: '',
    since: 13,
    arity: [2, 2],
    attributes: {},
    infer: ([x, target]) => [{ type: x!.type, shape: broadcastShapes(x!.shape, contentsOf(target!)) }],
    evaluate: ([x, target]) => {
      const ones = build([...target!.data], () => 1)
      return [zip([x!, ones], (value) => value)]
    },
  },
  Slice: {
    domain: '',
    since: 13,
    arity: [4, 4],
    attributes: {},
    infer: ([x, ...bounds]) => {
      const [start, end, axis] = bounds.map((bound) => knownNumbers(bound)[0]!)
      const [k, from, to] = sliceBounds(x!.shape, start!, end!, axis!)
      if (from >= to) refuse(`nothing lies between ${from} and ${to}`)
      return [{ type: x!.type, shape: x!.shape.map((dim, i) => (i === k ? to - from : dim)) }]
    },
    evaluate: ([x, start, end, axis]) => [
      slice(x!, ...sliceBounds(x!.shape, start!.data[0]!, end!.data[0]!, axis!.data[0]!)),
    ],
  },
  Split: {
    domain: '',
    since: 18,
    arity: [2, 2],
    attributes: { axis: 'int' },
    infer: ([x, sizes], attributes) => {
      const axis = axisOf(numberOf(attributes, 'axis', 0), x!.shape)
      const parts = knownNumbers(sizes!)
      const whole = parts.reduce((sum, part) => sum + part, 0)
      if (whole !== x!.shape[axis]) refuse(`parts of ${whole} do not make ${x!.shape[axis]}`)
      return parts.map((part) => ({ type: x!.type, shape: x!.shape.map((dim, i) => (i === axis ? part : dim)) }))
    },
    evaluate: ([x, sizes], attributes) => {
      const axis = axisOf(numberOf(attributes, 'axis', 0), x!.shape)
      let from = 0
      return Array.from(sizes!.data, (part) => {
        from += part
        return slice(x!, axis, from - part, from)
      })
    },
  },
  Concat: {
    domain: '',
    since: 13,
    arity: [1, 1000],
    attributes: { axis: 'int' },
    infer: (inputs, attributes) => [concatenated(inputs, numberOf(attributes, 'axis', 0))],
    evaluate: (inputs, attributes) => {
      const axis = axisOf(numberOf(attributes, 'axis', 0), inputs[0]!.shape)
      const sizes = inputs.map((input) => input.shape[axis]!)
      const whole = sizes.reduce((sum, size) => sum + size, 0)
      const parts = inputs.flatMap((input, i) => Array.from({ length: sizes[i]! }, (_, k) => ({ input, k })))
      return [
        build(
          inputs[0]!.shape.map((dim, i) => (i === axis ? whole : dim)),
          (place) => {
            const { input, k } = parts[place[axis]!]!
            return at(
              input,
              place.map((j, i) => (i === axis ? k : j)),
            )
          },
        ),
      ]
    },
  },
  Gather: {
    domain: '',
    since: 13,
    arity: [2, 2],
    attributes: { axis: 'int' },
    infer: ([x, index], attributes) => {
      expectType(index!, 'int32', 'int64')
      const axis = axisOf(numberOf(attributes, 'axis', 0), x!.shape)
      return [{ type: x!.type, shape: [...x!.shape.slice(0, axis), ...index!.shape, ...x!.shape.slice(axis + 1)] }]
    },
    evaluate: ([x, index], attributes) => {
      const axis = axisOf(numberOf(attributes, 'axis', 0), x!.shape)
      const inner = index!.shape.length
      const shape = [...x!.shape.slice(0, axis), ...index!.shape, ...x!.shape.slice(axis + 1)]
      return [
        build(shape, (place) => {
          const k = at(index!, place.slice(axis, axis + inner))
          const size = x!.shape[axis]!
          if (k < -size || k >= size) throw new RangeError(`Gather: index ${k} is not in ${size} rows`)
          return at(x!, [...place.slice(0, axis), k < 0 ? k + size : k, ...place.slice(axis + inner)])
        }),
      ]
    },
  },
} satisfies Record<string, Op>

const concatenated = (inputs: readonly Value[], axis: number): Value => {
  const type = oneType(inputs)
  const { shape } = inputs[0]!
  const k = axisOf(axis, shape)
  for (const input of inputs) {
    const fits = input.shape.length === shape.length && input.shape.every((dim, i) => i === k || dim === shape[i])
    if (!fits) refuse(`${showShape(input.shape)} does not join ${showShape(shape)} along axis ${k}`)
  }
  const joined = shape.map((dim, i) => (i === k ? joinedSize(inputs.map((input) => input.shape[k]!)) : dim))
  const contents = inputs.map((input) => input.contents)
  const known = contents.every((parts) => parts !== undefined)
  return { type, shape: joined, ...(known && shape.length === 1 ? { contents: contents.flat() } : {}) }
}
