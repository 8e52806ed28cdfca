/** Operators over whole rows, and sums and means over axes. */
import { array, map, type NdArray, reduce, zip } from '../array.ts'
import { numberOf } from '../attributes.ts'
import { axisOf, refuse, type Shape } from '../shape.ts'
import type { Op, Value } from '../types.ts'
import { expectType, floats, knownNumbers } from './infer.ts'

const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length

const lastAxisOnly = (inputs: readonly Value[], axis: number): void => {
  const { shape } = inputs[0]!
  if (axisOf(axis, shape) !== shape.length - 1) refuse('works on the last axis only')
}

/** x minus the logarithm of the sum of its exponentials, over the last axis. */
const logSoftmax = (x: NdArray): NdArray => {
  const axis = [x.shape.length - 1]
  const peak = reduce(x, axis, (row) => Math.max(...row))
  const shifted = zip([x, peak], (a, b) => a - b)
  return zip([shifted, reduce(map(shifted, Math.exp), axis, sum)], (a, total) => a - Math.log(total))
}

const softmax = (evaluate: (x: NdArray) => NdArray): Op => ({
  domain: '',
  since: 13,
  arity: [1, 1],
  attributes: { axis: 'int' },
  infer: (inputs, attributes) => {
    expectType(inputs[0]!, 'float32')
    lastAxisOnly(inputs, numberOf(attributes, 'axis', -1))
    return [floats(inputs[0]!.shape)]
  },
  evaluate: ([x]) => [evaluate(x!)],
})

const reducedShape = (shape: Shape, axes: readonly number[], keep: boolean): Shape =>
  keep ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim)) : shape.filter((_, i) => !axes.includes(i))

const reduction = (since: number, f: (group: readonly number[]) => number): Op => ({
  domain: '',
  since,
  arity: [1, 2],
  attributes: { keepdims: 'int' },
  infer: ([x, axes], attributes) => {
    expectType(x!, 'float32')
    const over = axes ? knownNumbers(axes).map((axis) => axisOf(axis, x!.shape)) : x!.shape.map((_, i) => i)
    return [floats(reducedShape(x!.shape, over, numberOf(attributes, 'keepdims', 1) !== 0))]
  },
  evaluate: ([x, axes], attributes) => {
    const over = axes ? Array.from(axes.data, (axis) => axisOf(axis, x!.shape)) : x!.shape.map((_, i) => i)
    const { data } = reduce(x!, over, f)
    const keep = numberOf(attributes, 'keepdims', 1) !== 0
    return [array(reducedShape(x!.shape, over, keep).map(Number), data)]
  },
})

export const ROWS = {
  Softmax: softmax((x) => map(logSoftmax(x), Math.exp)),
  LogSoftmax: softmax(logSoftmax),
  ReduceSum: reduction(13, sum),
  ReduceMean: reduction(18, mean),
  /**
   * Rows of the last axis with mean 0 and variance 1, times scale, plus shift (Ba et al. 2016).
   * Outputs: result, mean, 1/√(variance + ε).
   */
  LayerNormalization: {
    domain: '',
    since: 17,
    arity: [2, 3],
    attributes: { axis: 'int', epsilon: 'float' },
    infer: (inputs, attributes) => {
      const [x, ...affine] = inputs
      for (const input of inputs) expectType(input, 'float32')
      lastAxisOnly(inputs, numberOf(attributes, 'axis', -1))
      for (const { shape } of affine) {
        if (shape.length !== 1 || shape[0] !== x!.shape.at(-1)) refuse('scale and shift have one number per column')
      }
      const statistics = floats([...x!.shape.slice(0, -1), 1])
      return [floats(x!.shape), statistics, statistics]
    },
    evaluate: ([x, scale, shift], attributes) => {
      const axis = [x!.shape.length - 1]
      const means = reduce(x!, axis, mean)
      const centred = zip([x!, means], (a, b) => a - b)
      const epsilon = numberOf(attributes, 'epsilon', 1e-5)
      const inverse = map(
        reduce(
          map(centred, (a) => a * a),
          axis,
          mean,
        ),
        (variance) => 1 / Math.sqrt(variance + epsilon),
      )
      const scaled = zip([centred, inverse, scale!], (a, b, c) => a * b * c)
      return [shift ? zip([scaled, shift], (a, b) => a + b) : scaled, means, inverse]
    },
  },
} satisfies Record<string, Op>
