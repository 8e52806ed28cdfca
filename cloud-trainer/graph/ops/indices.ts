/** Operators that make shapes, indices and constant fills. */
import { array, build, map } from '../array.ts'
import { numberOf } from '../attributes.ts'
import { refuse } from '../shape.ts'
import type { ElementType, Op } from '../types.ts'
import { contentsOf, expectType, knownNumbers } from './infer.ts'

/** TensorProto.DataType (onnx.proto). */
export const TYPE_CODES: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint32: 12,
}

const typeOfCode = (code: number): ElementType =>
  (Object.keys(TYPE_CODES) as ElementType[]).find((type) => TYPE_CODES[type] === code) ??
  refuse(`no type has code ${code}`)

const converters: Readonly<Record<ElementType, (x: number) => number>> = {
  float32: (x) => x,
  int32: Math.trunc,
  int64: Math.trunc,
  uint32: (x) => x >>> 0,
  bool: (x) => (x === 0 ? 0 : 1),
  int8: (x) => (x << 24) >> 24,
  float16: Math.f16round,
}

export const INDICES = {
  Shape: {
    domain: '',
    since: 21,
    arity: [1, 1],
    attributes: { start: 'int', end: 'int' },
    infer: ([x], attributes) => {
      const contents = x!.shape.slice(numberOf(attributes, 'start', 0), numberOf(attributes, 'end', x!.shape.length))
      return [{ type: 'int64', shape: [contents.length], contents }]
    },
    evaluate: ([x], attributes) => {
      const sizes = x!.shape.slice(numberOf(attributes, 'start', 0), numberOf(attributes, 'end', x!.shape.length))
      return [array([sizes.length], sizes)]
    },
  },
  Size: {
    domain: '',
    since: 21,
    arity: [1, 1],
    attributes: {},
    infer: () => [{ type: 'int64', shape: [] }],
    evaluate: ([x]) => [array([], [x!.data.length])],
  },
  Cast: {
    domain: '',
    since: 21,
    arity: [1, 1],
    attributes: { to: 'int' },
    infer: ([x], attributes) => [{ type: typeOfCode(numberOf(attributes, 'to', 0)), shape: x!.shape }],
    evaluate: ([x], _, [output]) => [map(x!, converters[output!.type])],
  },
  ConstantOfShape: {
    domain: '',
    since: 21,
    arity: [1, 1],
    attributes: { value: 'tensor' },
    infer: ([sizes], { value }) => [
      { type: value?.kind === 'tensor' ? value.type : 'float32', shape: contentsOf(sizes!) },
    ],
    evaluate: ([sizes], { value }) => {
      const fill = value?.kind === 'tensor' ? value.value : 0
      return [build([...sizes!.data], () => fill)]
    },
  },
  /** [indices] → [indices, depth] with `values` = [off, on]. Indices outside the depth give a row of off. */
  OneHot: {
    domain: '',
    since: 11,
    arity: [3, 3],
    attributes: { axis: 'int' },
    infer: ([index, depth, values], attributes) => {
      expectType(index!, 'int32', 'int64')
      if (numberOf(attributes, 'axis', -1) !== -1) refuse('adds its axis at the end')
      const [size] = knownNumbers(depth!)
      return [{ type: values!.type, shape: [...index!.shape, size!] }]
    },
    evaluate: ([index, depth, values]) => {
      const size = depth!.data[0]!
      return [
        build([...index!.shape, size], (place) => {
          const k = index!.data[place.slice(0, -1).reduce((flat, step, i) => flat * index!.shape[i]! + step, 0)]!
          return values!.data[(k < 0 ? k + size : k) === place.at(-1) ? 1 : 0]!
        }),
      ]
    },
  },
} satisfies Record<string, Op>
