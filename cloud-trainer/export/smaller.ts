/** Smaller forms of an exported model. */
import type { Precision } from '#shared/bundle/precision.ts'
import { assertNever } from '#shared/std/assert.ts'
import type { Program } from '../graph/program.ts'
import { withEightBitLinears } from './eight-bits.ts'
import { withHalfWeights } from './half-precision.ts'

/** `program`: of `inferenceProgram`, with constant weights. int8 stores what it doesn't round in half precision. */
export const inPrecision = (program: Program, precision: Precision): Program => {
  switch (precision) {
    case 'float32':
      return program
    case 'fp16':
      return withHalfWeights(program)
    case 'int8':
      return withHalfWeights(withEightBitLinears(program))
    default:
      return assertNever(precision)
  }
}
