/**
 * The operators that a model may use: what our exporter can emit, by domain. The list ships with the station and
 * not with the model; a test compares it with the exporter's. Control flow, random numbers, file access and
 * anything that makes large tensors out of a number are not on it.
 */
export const OPERATORS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    '',
    new Set(
      [
        'Gemm MatMul',
        'Add Sub Mul Div Neg Exp Erf Sqrt Relu Gelu Sigmoid Softplus Sin Cos Where',
        'Softmax LogSoftmax LayerNormalization ReduceSum ReduceMean',
        'Transpose Reshape Slice Split Concat Squeeze Unsqueeze Expand Gather',
        'Shape Cast ConstantOfShape Equal Less',
      ].flatMap((group) => group.split(' ')),
    ),
  ],
  ['com.microsoft', new Set(['FusedMatMul', 'DynamicQuantizeMatMul'])],
])

/** Newest operator set of each domain that the pinned ONNX Runtime takes. */
export const NEWEST_OPSET: ReadonlyMap<string, number> = new Map([
  ['', 26],
  ['com.microsoft', 1],
])

export const NEWEST_IR_VERSION = 13
