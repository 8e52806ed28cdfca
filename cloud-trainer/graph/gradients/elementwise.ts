/** Gradient rules of operators that treat every element alike. */
import {
  add,
  cast,
  cosine,
  divide,
  erf,
  exp,
  filled,
  multiply,
  negate,
  shapeOf,
  sigmoid,
  sign,
  sine,
  subtract,
  where,
} from '../calls.ts'
import type { Tensor } from '../graph.ts'
import type { Differentiation, GradientRule } from './rule.ts'
import { unbroadcast } from './unbroadcast.ts'

/** dx from dy, x and y. */
const unary =
  (rule: (dy: Tensor, x: Tensor, y: Tensor) => Tensor): GradientRule =>
  ({ inputs: [x], outputs: [y] }, gradients) => {
    const dy = gradients.of(y!)
    if (dy) gradients.add(x!, () => rule(dy, x!, y!))
  }

type BinaryRule = (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor

const binary =
  (left: BinaryRule, right: BinaryRule): GradientRule =>
  ({ inputs: [a, b], outputs: [y] }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    gradients.add(a!, () => unbroadcast(left(dy, a!, b!, y!), a!.shape))
    gradients.add(b!, () => unbroadcast(right(dy, a!, b!, y!), b!.shape))
  }

/** Φ(x) + x·φ(x), the slope of x·Φ(x). */
const geluSlope = (x: Tensor): Tensor => {
  const u = multiply(x, Math.SQRT1_2)
  const density = multiply(exp(negate(multiply(u, u))), 2 / Math.sqrt(Math.PI))
  return multiply(add(add(erf(u), 1), multiply(u, density)), 0.5)
}

/** Rounded results are whole numbers or signs: flat wherever they have a slope. */
const FLAT = { none: 'it is constant between jumps' }

export const ELEMENTWISE_GRADIENTS = {
  Add: binary(
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: binary(
    (dy) => dy,
    (dy) => negate(dy),
  ),
  Mul: binary(
    (dy, _, b) => multiply(dy, b),
    (dy, a) => multiply(dy, a),
  ),
  Div: binary(
    (dy, _, b) => divide(dy, b),
    (dy, _, b, y) => negate(divide(multiply(dy, y), b)),
  ),
  Neg: unary(negate),
  Exp: unary((dy, _, y) => multiply(dy, y)),
  Erf: unary((dy, x) => multiply(dy, multiply(exp(negate(multiply(x, x))), 2 / Math.sqrt(Math.PI)))),
  Sqrt: unary((dy, _, y) => divide(multiply(dy, 0.5), y)),
  Relu: unary((dy, _, y) => multiply(dy, sign(y))),
  Sign: FLAT,
  Gelu: unary((dy, x) => multiply(dy, geluSlope(x))),
  Sigmoid: unary((dy, _, y) => multiply(dy, subtract(y, multiply(y, y)))),
  Softplus: unary((dy, x) => multiply(dy, sigmoid(x))),
  Sin: unary((dy, x) => multiply(dy, cosine(x))),
  Cos: unary((dy, x) => negate(multiply(dy, sine(x)))),
  Equal: FLAT,
  Less: FLAT,
  BitShift: FLAT,
  BitwiseXor: FLAT,
  Where: ({ inputs: [condition, yes, no], outputs: [y] }, gradients) => {
    const dy = gradients.of(y!)
    if (!dy) return
    const zero = filled(shapeOf(dy), 0)
    gradients.add(yes!, () => unbroadcast(where(condition!, dy, zero), yes!.shape))
    gradients.add(no!, () => unbroadcast(where(condition!, zero, dy), no!.shape))
  },
  Cast: ({ inputs: [x], outputs: [y] }, gradients) => {
    const dy = gradients.of(y!)
    if (dy) gradients.add(x!, () => cast(dy, x!.type))
  },
} satisfies Record<string, Differentiation>
