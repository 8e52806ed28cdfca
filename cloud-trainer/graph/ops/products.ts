/** Matrix products. */
import { matrixProduct, type NdArray, transposed, zip } from '../array.ts'
import { type Attributes, flagOf, numberOf } from '../attributes.ts'
import { roundHalfEven } from '../round.ts'
import { broadcastShapes, refuse, type Shape, showShape } from '../shape.ts'
import type { Op, Value } from '../types.ts'
import { expectType, floats } from './infer.ts'

const swapLast = (shape: Shape): Shape => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!]

const swapped = (x: NdArray): NdArray => {
  const axes = x.shape.map((_, i) => i)
  return transposed(x, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!])
}

const productShape = (a: Shape, b: Shape): Shape => {
  if (a.length < 2 || b.length < 2) refuse('products want at least two axes')
  if (a.at(-1) !== b.at(-2)) refuse(`inner sizes ${a.at(-1)} and ${b.at(-2)} differ`)
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!]
}

const operands = (inputs: readonly Value[], attributes: Attributes): [Shape, Shape] => {
  for (const input of inputs) expectType(input, 'float32')
  const [a, b] = [inputs[0]!.shape, inputs[1]!.shape]
  return [flagOf(attributes, 'transA') ? swapLast(a) : a, flagOf(attributes, 'transB') ? swapLast(b) : b]
}

const evaluateProduct = ([a, b]: readonly NdArray[], attributes: Attributes): NdArray => {
  const alpha = numberOf(attributes, 'alpha', 1)
  const left = flagOf(attributes, 'transA') ? swapped(a!) : a!
  const right = flagOf(attributes, 'transB') ? swapped(b!) : b!
  const { shape, data } = matrixProduct(left, right)
  return { shape, data: data.map((x) => alpha * x) }
}

const batched = {
  arity: [2, 2],
  infer: (inputs, attributes) => [floats(productShape(...operands(inputs, attributes)))],
  evaluate: (inputs, attributes) => [evaluateProduct(inputs, attributes)],
} satisfies Partial<Op>

/** To float32, as the runtime rounds after each step. */
const f32 = Math.fround

const clamp = (x: number): number => Math.min(255, Math.max(0, x))

/**
 * DynamicQuantizeLinear (ONNX): scale = (max − min) / 255 over all elements and 0, zero point = −min / scale, both
 * rounded; what comes back are the differences from the zero point. Elements that are all 0 have scale 1.
 */
const quantized = ({ shape, data }: NdArray): { readonly scale: number; readonly steps: NdArray } => {
  const least = data.reduce((a, b) => Math.min(a, f32(b)), 0)
  const most = data.reduce((a, b) => Math.max(a, f32(b)), 0)
  const scale = least === most ? 1 : f32(f32(most - least) / 255)
  const zero = clamp(roundHalfEven(f32(-least / scale)))
  return { scale, steps: { shape, data: data.map((x) => clamp(roundHalfEven(f32(f32(x) / scale)) + zero) - zero) } }
}

export const PRODUCTS = {
  MatMul: { ...batched, domain: '', since: 13, attributes: {} },
  /** α · op(A) · op(B), where op may swap the last two axes. */
  FusedMatMul: {
    ...batched,
    domain: 'com.microsoft',
    since: 1,
    attributes: { transA: 'int', transB: 'int', alpha: 'float' },
  },
  /** α · op(A) · op(B) + β · C, in two dimensions. */
  Gemm: {
    domain: '',
    since: 13,
    arity: [2, 3],
    attributes: { transA: 'int', transB: 'int', alpha: 'float', beta: 'float' },
    infer: (inputs, attributes) => {
      const [a, b] = operands(inputs, attributes)
      if (a.length !== 2 || b.length !== 2) refuse('multiplies two matrices')
      const shape = productShape(a, b)
      const added = inputs[2]?.shape
      if (added && broadcastShapes(added, shape).some((dim, i) => dim !== shape[i])) {
        refuse(`${showShape(added)} does not stretch to ${showShape(shape)}`)
      }
      return [floats(shape)]
    },
    evaluate: (inputs, attributes) => {
      const product = evaluateProduct(inputs, attributes)
      const beta = numberOf(attributes, 'beta', 1)
      return [inputs[2] ? zip([product, inputs[2]], (x, c) => x + beta * c) : product]
    },
  },
  /**
   * x · W + b (com.microsoft), x quantized to uint8 as it comes, with one scale for the whole of it, W stored as int8 with a
   * scale and a zero point for each column. Inputs: x, W, scales, zero points, b.
   */
  DynamicQuantizeMatMul: {
    domain: 'com.microsoft',
    since: 1,
    arity: [5, 5],
    attributes: {},
    infer: ([x, weight, scales, zeros, bias]) => {
      for (const floating of [x!, scales!, bias!]) expectType(floating, 'float32')
      for (const whole of [weight!, zeros!]) expectType(whole, 'int8')
      if (weight!.shape.length !== 2) refuse('its weight is a matrix')
      const columns = weight!.shape.at(-1)
      for (const { shape } of [scales!, zeros!, bias!]) {
        if (shape.length !== 1 || shape[0] !== columns)
          refuse('scales, zero points and bias have one number per column')
      }
      return [floats(productShape(x!.shape, weight!.shape))]
    },
    evaluate: ([x, weight, scales, zeros, bias]) => {
      const { scale, steps } = quantized(x!)
      const product = matrixProduct(
        steps,
        zip([weight!, zeros!], (w, zero) => w - zero),
      )
      return [zip([product, scales!, bias!], (sum, own, b) => sum * f32(scale * f32(own)) + b)]
    },
  },
} satisfies Record<string, Op>
