/** Shape rules that several operators share. */
import { broadcastShapes, refuse, type Shape } from '../shape.ts'
import type { ElementType, Value } from '../types.ts'

export const floats = (shape: Shape): Value => ({ type: 'float32', shape })

/** Operands of one type. */
export const oneType = (inputs: readonly Value[]): ElementType => {
  const type = inputs[0]!.type
  for (const input of inputs) if (input.type !== type) refuse(`${type} and ${input.type} do not mix`)
  return type
}

export const expectType = (value: Value, ...types: readonly ElementType[]): void => {
  if (!types.includes(value.type)) refuse(`wants ${types.join(' or ')}, not ${value.type}`)
}

/** One float input, an output of its shape. */
export const sameAsInput = (inputs: readonly Value[]): readonly Value[] => {
  expectType(inputs[0]!, 'float32')
  return [floats(inputs[0]!.shape)]
}

export const broadcast = (inputs: readonly Value[]): readonly Value[] => [
  { type: oneType(inputs), shape: inputs.map((input) => input.shape).reduce(broadcastShapes) },
]

/** The sizes in an int64 vector, which must be known while building. */
export const contentsOf = (value: Value): Shape => {
  expectType(value, 'int64')
  return value.contents ?? refuse('its sizes are not known while building')
}

/** The numbers in a constant vector of integers. */
export const knownNumbers = (value: Value): readonly number[] => {
  expectType(value, 'int32', 'int64')
  const contents = value.contents ?? refuse('its numbers are not known while building')
  return contents.map((dim) => (typeof dim === 'number' ? dim : refuse(`${dim} is not a known number`)))
}
