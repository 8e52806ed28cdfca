/** Operators that treat every element alike. */
import { map, zip } from '../array.ts'
import { erf } from '../erf.ts'
import { broadcastShapes, refuse } from '../shape.ts'
import type { Op } from '../types.ts'
import { broadcast, expectType, oneType, sameAsInput } from './infer.ts'

const unary = (since: number, f: (x: number) => number): Op => ({
  domain: '',
  since,
  arity: [1, 1],
  attributes: {},
  infer: sameAsInput,
  evaluate: ([x]) => [map(x!, f)],
})

/** `wrap`: the same of uint32, which wraps around. */
const binary = (
  since: number,
  f: (a: number, b: number) => number,
  wrap: ((a: number, b: number) => number) | null = null,
): Op => ({
  domain: '',
  since,
  arity: [2, 2],
  attributes: {},
  infer: (inputs) => {
    if (wrap === null && inputs[0]!.type === 'uint32') refuse('is not for uint32')
    return broadcast(inputs)
  },
  evaluate: ([a, b], _, [output]) => {
    if (wrap !== null && output!.type === 'uint32') return [zip([a!, b!], (x, y) => wrap(x, y) >>> 0)]
    const result = zip([a!, b!], f)
    return [output!.type === 'float32' ? result : map(result, Math.trunc)]
  },
})

const comparison = (since: number, f: (a: number, b: number) => boolean): Op => ({
  domain: '',
  since,
  arity: [2, 2],
  attributes: {},
  infer: (inputs) => [{ type: 'bool', shape: broadcast(inputs)[0]!.shape }],
  evaluate: ([a, b]) => [zip([a!, b!], (left, right) => (f(left, right) ? 1 : 0))],
})

/** Of uint32 alone. */
const bitwise = (since: number, attributes: Op['attributes'], f: (a: number, b: number) => number): Op => ({
  domain: '',
  since,
  arity: [2, 2],
  attributes,
  infer: (inputs) => {
    for (const input of inputs) expectType(input, 'uint32')
    return broadcast(inputs)
  },
  evaluate: ([a, b]) => [zip([a!, b!], (x, y) => f(x, y) >>> 0)],
})

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)))

export const ELEMENTWISE = {
  Add: binary(14, (a, b) => a + b),
  Sub: binary(14, (a, b) => a - b),
  Mul: binary(14, (a, b) => a * b, Math.imul),
  Div: binary(14, (a, b) => a / b),
  Neg: unary(13, (x) => -x),
  Exp: unary(13, Math.exp),
  Erf: unary(13, erf),
  Sqrt: unary(13, Math.sqrt),
  Relu: unary(14, (x) => Math.max(x, 0)),
  Sign: unary(13, Math.sign),
  /** Exact: x/2 · (1 + erf(x/√2)) (Hendrycks & Gimpel 2016). */
  Gelu: unary(20, (x) => (x / 2) * (1 + erf(x / Math.SQRT2))),
  Sigmoid: unary(13, sigmoid),
  Softplus: unary(1, softplus),
  Sin: unary(7, Math.sin),
  Cos: unary(7, Math.cos),
  Equal: comparison(19, (a, b) => a === b),
  Less: comparison(13, (a, b) => a < b),
  /** To the right, the only direction that is used. */
  BitShift: bitwise(11, { direction: 'string' }, (a, b) => a >>> b),
  BitwiseXor: bitwise(18, {}, (a, b) => a ^ b),
  Where: {
    domain: '',
    since: 16,
    arity: [3, 3],
    attributes: {},
    infer: ([condition, yes, no]) => {
      if (condition!.type !== 'bool') refuse(`chooses by bool, not ${condition!.type}`)
      const shape = broadcastShapes(broadcastShapes(condition!.shape, yes!.shape), no!.shape)
      return [{ type: oneType([yes!, no!]), shape }]
    },
    evaluate: ([condition, yes, no]) => [zip([condition!, yes!, no!], (c, a, b) => (c !== 0 ? a : b))],
  },
} satisfies Record<string, Op>
