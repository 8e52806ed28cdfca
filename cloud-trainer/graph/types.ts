/** What an operator is: one row of the op table (`ops/table.ts`). */
import type { NdArray } from './array.ts'
import type { AttributeKind, Attributes } from './attributes.ts'
import type { Dim, Shape } from './shape.ts'

/**
 * Indices are int32 (filling int64 from JavaScript is thirty times slower); shapes are int64, as ONNX wants. uint32 is for
 * hashes: its sums and products wrap around. int8 and float16 hold the weights of smaller exported models.
 */
export type ElementType = 'float32' | 'int32' | 'int64' | 'uint32' | 'bool' | 'int8' | 'float16'

/** What is known of a value while the graph is built. */
export type Value = {
  readonly type: ElementType
  readonly shape: Shape
  /** The elements of an integer vector, when they are known as sizes: shapes flow through the graph as values. */
  readonly contents?: readonly Dim[]
}

export type Op = {
  readonly domain: '' | 'com.microsoft'
  /** Operator-set version that introduced the form used here. */
  readonly since: number
  /** Fewest and most inputs. */
  readonly arity: readonly [number, number]
  readonly attributes: Readonly<Record<string, AttributeKind>>
  /** Types and shapes of the outputs. Throws ShapeError when the operands don't fit. */
  readonly infer: (inputs: readonly Value[], attributes: Attributes) => readonly Value[]
  /** Slow, obvious float64 evaluation: the oracle of the tests, and the arithmetic of constant folding. */
  readonly evaluate: (
    inputs: readonly NdArray[],
    attributes: Attributes,
    outputs: readonly Value[],
  ) => readonly NdArray[]
}

export type OpName =
  | 'Gemm'
  | 'MatMul'
  | 'FusedMatMul'
  | 'DynamicQuantizeMatMul'
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
  | 'Neg'
  | 'Exp'
  | 'Erf'
  | 'Sqrt'
  | 'Relu'
  | 'Sign'
  | 'Gelu'
  | 'Sigmoid'
  | 'Softplus'
  | 'Sin'
  | 'Cos'
  | 'Where'
  | 'Softmax'
  | 'LogSoftmax'
  | 'LayerNormalization'
  | 'ReduceSum'
  | 'ReduceMean'
  | 'Transpose'
  | 'Reshape'
  | 'Slice'
  | 'Split'
  | 'Concat'
  | 'Squeeze'
  | 'Unsqueeze'
  | 'Expand'
  | 'Gather'
  | 'Shape'
  | 'Size'
  | 'Cast'
  | 'ConstantOfShape'
  | 'OneHot'
  | 'Equal'
  | 'Less'
  | 'BitShift'
  | 'BitwiseXor'
