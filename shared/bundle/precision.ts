/** In which numbers a model is stored and computed. */

/**
 * `float32`: as trained. `fp16`: weights stored in half precision, computed in float32. `int8`: the encoder's linears in
 * eight bits, everything else as `fp16`.
 */
export const PRECISIONS = ['float32', 'fp16', 'int8'] as const

export type Precision = (typeof PRECISIONS)[number]

/**
 * Observations that one run of the model may hold. An eight-bit product takes its scale from all rows of a run, so that an
 * observation's answer would depend on those beside it: each runs alone.
 */
export const mostRowsPerRun = (precision: Precision | undefined, otherwise: number): number =>
  precision === 'int8' ? 1 : otherwise
