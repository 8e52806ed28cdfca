/** Each layer, which has a gradient written by hand, against the same layer made of single operators. */
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import {
  type Arrays,
  centralDifferences,
  data,
  differentiate,
  floats,
  indices,
  type Make,
  type Operand,
  relativeDifference,
  runOnRuntime,
} from '#test/support/graph-run.ts'
import {
  add,
  concat,
  cosine,
  divide,
  gather,
  gelu,
  layerNormalization,
  logSoftmax,
  matMul,
  mean,
  multiply,
  negate,
  relu,
  reshape,
  sine,
  softmax,
  softplus,
  squareRoot,
  subtract,
  sum,
  transpose,
} from '../calls.ts'
import type { Tensor } from '../graph.ts'
import { interpret } from '../interpret.ts'
import { activationLinear } from './activation-linear.ts'
import { attention, keyBias } from './attention.ts'
import { binaryCrossEntropy } from './binary-cross-entropy.ts'
import { crossEntropy } from './cross-entropy.ts'
import { layerNorm } from './layer-norm.ts'
import { groupLinear, linear } from './linear.ts'
import { EPSILON, normLinear } from './norm-linear.ts'
import { periodic } from './periodic.ts'
import { flatten, pad, pickRows, unpad } from './rows.ts'

type LayerCase = {
  readonly name: string
  readonly operands: readonly Operand[]
  readonly layer: Make
  readonly plain: Make
}

const random = randomStream(3, 'layers')
const matrix = (...shape: number[]): Operand => floats(random, shape)

/** A differentiable matrix whose number of rows is a symbol: data plus a parameter. */
const shifted = (x: Tensor, shift: Tensor): Tensor => add(x, shift)

/** Two observations of three places: one of three rows, one of two and padding that shows row 0. */
const PADDING = [
  indices([0, 1, 2, 3, 4, 0], [2, 3]),
  indices([0, 1, 2, 3, 4]),
  data({ ...floats(random, [2, 3, 1]), value: { shape: [2, 3, 1], data: Float64Array.of(1, 1, 1, 1, 1, 0) } }),
]

const padding = ([padIndex, unpadIndex, real]: readonly Tensor[]) => ({
  padIndex: padIndex!,
  unpadIndex: unpadIndex!,
  real: real!,
})

const hidden = (values: readonly number[], shape: readonly number[]): Operand =>
  data({ ...floats(random, shape), value: { shape, data: Float64Array.from(values) } })

const plainAttention = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  depth: number,
  bias: Tensor | null,
  mask: Tensor | null = null,
): Tensor => {
  const scores = multiply(matMul(q, transpose(k, [0, 1, 3, 2])), 1 / Math.sqrt(depth))
  const p = softmax(bias ? add(scores, bias) : scores)
  return matMul(mask ? multiply(p, mask) : p, v)
}

const CASES: readonly LayerCase[] = [
  {
    name: 'linear',
    operands: [matrix(5, 3), matrix(3, 4), matrix(4)],
    layer: ([x, w, b]) => linear(x!, w!, b!),
    plain: ([x, w, b]) => add(matMul(x!, w!), b!),
  },
  {
    name: 'linear of rows whose number is a symbol, used twice',
    operands: [data(matrix(5, 3), ['N', 3]), matrix(3), matrix(3, 3), matrix(3)],
    layer: ([x, shift, w, b]) => linear(linear(shifted(x!, shift!), w!, b!), w!, b!),
    plain: ([x, shift, w, b]) => add(matMul(add(matMul(shifted(x!, shift!), w!), b!), w!), b!),
  },
  {
    name: 'two linears of the same rows, which are also added to the result',
    operands: [matrix(5, 4), matrix(4, 4), matrix(4), matrix(4, 4)],
    layer: ([x, w, b, other]) => add(x!, multiply(linear(x!, w!, b!), linear(x!, other!, b!))),
    plain: ([x, w, b, other]) => add(x!, multiply(add(matMul(x!, w!), b!), add(matMul(x!, other!), b!))),
  },
  {
    name: 'groupLinear',
    operands: [matrix(2, 4, 3), matrix(2, 3, 5), matrix(2, 1, 5)],
    layer: ([x, w, b]) => groupLinear(x!, w!, b!),
    plain: ([x, w, b]) => add(matMul(x!, w!), b!),
  },
  {
    name: 'layerNorm',
    operands: [matrix(4, 6), matrix(6), matrix(6)],
    layer: ([x, scale, shift]) => layerNorm(x!, { scale: scale!, shift: shift! }),
    plain: ([x, scale, shift]) => {
      const centred = subtract(x!, mean(x!, [1]))
      const deviation = squareRoot(add(mean(multiply(centred, centred), [1]), EPSILON))
      return add(multiply(divide(centred, deviation), scale!), shift!)
    },
  },
  {
    name: 'normLinear',
    operands: [matrix(5, 6), matrix(6), matrix(6), matrix(6, 4), matrix(4)],
    layer: ([x, scale, shift, w, b]) => normLinear(x!, { scale: scale!, shift: shift! }, w!, b!),
    plain: ([x, scale, shift, w, b]) => add(matMul(layerNormalization(x!, scale!, shift!, EPSILON)[0], w!), b!),
  },
  {
    name: 'two normLinears that share a norm and rows whose number is a symbol',
    operands: [data(matrix(5, 6), ['N', 6]), matrix(6), matrix(6), matrix(6), matrix(6, 4), matrix(4), matrix(6, 4)],
    layer: ([x, move, scale, shift, w, b, other]) => {
      const rows = shifted(x!, move!)
      const norm = { scale: scale!, shift: shift! }
      return multiply(normLinear(rows, norm, w!, b!), normLinear(rows, norm, other!, b!))
    },
    plain: ([x, move, scale, shift, w, b, other]) => {
      const [h] = layerNormalization(shifted(x!, move!), scale!, shift!, EPSILON)
      return multiply(add(matMul(h, w!), b!), add(matMul(h, other!), b!))
    },
  },
  ...(['gelu', 'relu'] as const).map((activation) => ({
    name: `activationLinear with ${activation}`,
    operands: [matrix(5, 3), matrix(3, 4), matrix(4)],
    layer: ([h, w, b]: readonly Tensor[]) => activationLinear(h!, activation, w!, b!),
    plain: ([h, w, b]: readonly Tensor[]) => add(matMul(activation === 'gelu' ? gelu(h!) : relu(h!), w!), b!),
  })),
  {
    name: 'attention of all to all',
    operands: [matrix(2, 2, 4, 3), matrix(2, 2, 4, 3), matrix(2, 2, 4, 3)],
    layer: ([q, k, v]) => attention(q!, k!, v!, null),
    plain: ([q, k, v]) => plainAttention(q!, k!, v!, 3, null),
  },
  {
    name: 'attention with hidden keys and one query',
    operands: [
      matrix(2, 2, 1, 3),
      matrix(2, 2, 4, 3),
      matrix(2, 2, 4, 3),
      hidden([0, 1, 0, 0, 0, 0, 1, 1], [2, 1, 1, 4]),
    ],
    layer: ([q, k, v, mask]) => attention(q!, k!, v!, keyBias(mask!)),
    plain: ([q, k, v, mask]) => plainAttention(q!, k!, v!, 3, keyBias(mask!)),
  },
  {
    name: 'periodic',
    operands: [matrix(2, 4, 1), matrix(2, 1, 3)],
    layer: ([x, frequencies]) => periodic(x!, frequencies!),
    plain: ([x, frequencies]) => {
      const angle = multiply(multiply(x!, frequencies!), 2 * Math.PI)
      return concat([cosine(angle), sine(angle)], 2)
    },
  },
  {
    name: 'pickRows',
    operands: [matrix(5, 3), indices([3, 0]), indices([1, 2, 2, 0, 2])],
    layer: ([x, index, inverse]) => pickRows(x!, index!, inverse!),
    plain: ([x, index]) => gather(x!, index!),
  },
  {
    name: 'pad, whose padding is not looked at',
    operands: [matrix(5, 3), ...PADDING],
    layer: ([x, ...rest]) => multiply(pad(x!, padding(rest)), padding(rest).real),
    plain: ([x, ...rest]) => multiply(gather(x!, padding(rest).padIndex), padding(rest).real),
  },
  {
    name: 'unpad',
    operands: [matrix(2, 3, 4), ...PADDING],
    layer: ([x, ...rest]) => unpad(x!, padding(rest)),
    plain: ([x, ...rest]) => gather(flatten(x!), padding(rest).unpadIndex),
  },
  {
    name: 'binaryCrossEntropy',
    operands: [floats(random, [3, 4], -4, 4), ...[0, 0].map(() => data(floats(random, [3, 4], 0, 2)))],
    layer: ([z, positive, negative]) => binaryCrossEntropy(z!, positive!, negative!),
    plain: ([z, positive, negative]) => {
      const terms = add(multiply(positive!, softplus(negate(z!))), multiply(negative!, softplus(z!)))
      return divide(reshape(sum(terms, [0, 1]), []), 12)
    },
  },
  {
    name: 'attention with dropout and a hidden key',
    operands: [
      ...[matrix(2, 2, 2, 3), matrix(2, 2, 4, 3), matrix(2, 2, 4, 3)],
      hidden([0, 0, 0, 1, 0, 0, 0, 0], [2, 1, 1, 4]),
      hidden(
        Array.from({ length: 32 }, (_, i) => (i % 3 === 0 ? 0 : 1.5)),
        [2, 2, 2, 4],
      ),
    ],
    layer: ([q, k, v, places, mask]) => attention(q!, k!, v!, keyBias(places!), mask!),
    plain: ([q, k, v, places, mask]) => plainAttention(q!, k!, v!, 3, keyBias(places!), mask!),
  },
  {
    name: 'crossEntropy, of one observation without a class too',
    operands: [floats(random, [3, 4], -4, 4), hidden([0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0], [3, 4])],
    layer: ([z, target]) => crossEntropy(z!, target!),
    plain: ([z, target]) => divide(reshape(negate(sum(multiply(target!, logSoftmax(z!)), [0, 1])), []), 3),
  },
]

const parametersOf = (operands: readonly Operand[]): readonly string[] =>
  operands.flatMap(({ parameter }, i) => (parameter ? [`p${i}`] : []))

describe('a layer has the value and the gradients of the same made of single operators', () => {
  test.each(CASES)('$name', async ({ name, operands, layer, plain }) => {
    const made = differentiate(operands, layer, randomStream(4, name))
    const expected = differentiate(operands, plain, randomStream(4, name))
    const exact = interpret(made.program, made.feeds)
    const reference = interpret(expected.program, expected.feeds)
    const computed: Arrays = await runOnRuntime(made.program, made.feeds)
    expect(exact.loss!.data[0]).toBeCloseTo(reference.loss!.data[0]!, 12)
    for (const input of parametersOf(operands)) {
      const { data: gradient } = exact[`d.${input}`]!
      expect(relativeDifference(gradient, reference[`d.${input}`]!.data, 0.1)).toBeLessThan(1e-12)
      expect(relativeDifference(gradient, centralDifferences(made.program, made.feeds, input), 0.1)).toBeLessThan(1e-7)
      expect(relativeDifference(computed[`d.${input}`]!.data, gradient, 0.1)).toBeLessThan(5e-6)
    }
  })
})

test('nothing flows back out of padding, whatever is done with it', () => {
  const operands = [matrix(5, 3), ...PADDING]
  const free = differentiate(operands, ([x, ...rest]) => pad(x!, padding(rest)), randomStream(5, 'padding'))
  const masked = differentiate(
    operands,
    ([x, ...rest]) => multiply(pad(x!, padding(rest)), padding(rest).real),
    randomStream(5, 'padding'),
  )
  expect(interpret(free.program, free.feeds)['d.p0']).toEqual(interpret(masked.program, masked.feeds)['d.p0'])
})

test('the cross-entropy of hopeless logits is finite, with the slope of its tail', async () => {
  const z = hidden([200, -200, 200, -200], [2, 2])
  const operands = [{ ...z, parameter: true }, hidden([0, 3, 2, 0], [2, 2]), hidden([1, 0, 0, 1], [2, 2])]
  const { program, feeds } = differentiate(
    operands,
    ([logits, positive, negative]) => binaryCrossEntropy(logits!, positive!, negative!),
    randomStream(6, 'tail'),
  )
  const { loss, 'd.p0': gradient } = await runOnRuntime(program, {
    ...feeds,
    weights: { shape: [], data: Float64Array.of(1) },
  })
  expect(loss!.data[0]).toBeCloseTo((200 + 3 * 200) / 4, 3)
  expect(Array.from(gradient!.data)).toEqual([0.25, -0.75, 0, 0])
})

test('the cross-entropy of hopeless classes is finite, with the slope of its tail', async () => {
  const z = hidden([300, -300, 0, -300, 300, 0], [2, 3])
  const operands = [{ ...z, parameter: true }, hidden([0, 1, 0, 0, 1, 0], [2, 3])]
  const { program, feeds } = differentiate(
    operands,
    ([logits, target]) => crossEntropy(logits!, target!),
    randomStream(7, 'tail'),
  )
  const ones = { ...feeds, weights: { shape: [], data: Float64Array.of(1) } }
  const { loss, 'd.p0': gradient } = await runOnRuntime(program, ones)
  expect(loss!.data[0]).toBeCloseTo(300, 3)
  expect(interpret(program, ones).loss!.data[0]).toBeCloseTo(300, 12)
  expect(Array.from(gradient!.data, (slope) => slope + 0)).toEqual([0.5, -0.5, 0, 0, 0, 0])
})

test('an operand that nobody asks a gradient for costs no node', () => {
  const nodesOf = (x: Operand) =>
    differentiate([x, matrix(3, 4), matrix(4)], ([a, w, b]) => linear(a!, w!, b!), random).program.nodes.length
  expect(nodesOf(matrix(5, 3)) - nodesOf(data(matrix(5, 3)))).toBe(2)
})
