/** Programs as ONNX files. Field numbers are those of onnx.proto. */
import { assert, assertNever } from '#shared/std/assert.ts'
import type { Attribute } from './attributes.ts'
import { GraphError, type Node, type Numbers, numbersOf, type Tensor } from './graph.ts'
import { TYPE_CODES } from './ops/indices.ts'
import { OPS } from './ops/table.ts'
import { constantsOf, type Program } from './program.ts'
import { bytesField, floatField, intField, type Message, messageField, textField, toBytes } from './protobuf.ts'
import type { Dim } from './shape.ts'
import type { ElementType } from './types.ts'

export const OPSET = 21
export const IR_VERSION = 10
const MICROSOFT_OPSET = 1

/** AttributeProto.AttributeType. */
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const

/** The bytes of a float32 array as they lie in memory; every machine that Node runs on is little-endian. */
const rawBytes = (type: ElementType, numbers: Numbers): Uint8Array => {
  const array = typedArray(type, numbers)
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

const typedArray = (type: ElementType, numbers: Numbers) => {
  if (type === 'float32') return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers)
  if (type === 'int32') return Int32Array.from(numbers)
  if (type === 'uint32') return Uint32Array.from(numbers)
  if (type === 'int64') return BigInt64Array.from(Array.from(numbers, BigInt))
  if (type === 'int8') return Int8Array.from(numbers)
  if (type === 'float16') return Float16Array.from(numbers)
  return Uint8Array.from(numbers)
}

const tensorParts = (type: ElementType, shape: readonly number[], numbers: Numbers): Message[] => [
  ...shape.map((size) => intField(1, size)),
  intField(2, TYPE_CODES[type]),
  bytesField(9, rawBytes(type, numbers)),
]

const attributeValue = (attribute: Attribute): Message[] => {
  switch (attribute.kind) {
    case 'float':
      return [floatField(2, attribute.value)]
    case 'int':
      return [intField(3, attribute.value)]
    case 'tensor':
      return [messageField(5, ...tensorParts(attribute.type, [1], Float64Array.of(attribute.value)))]
    case 'string':
      return [textField(4, attribute.value)]
    case 'ints':
      return attribute.value.map((value) => intField(8, value))
    default:
      return assertNever(attribute)
  }
}

const nodeMessage = (node: Node, names: (tensor: Tensor) => string): Message =>
  messageField(
    1,
    ...node.inputs.map((input) => textField(1, names(input))),
    ...node.outputs.map((output) => textField(2, names(output))),
    textField(3, `${node.path}/${node.outputs[0]!.name}`),
    textField(4, node.op),
    ...Object.entries(node.attributes).map(([name, attribute]) =>
      messageField(5, textField(1, name), ...attributeValue(attribute), intField(20, ATTRIBUTE_TYPES[attribute.kind])),
    ),
    textField(7, OPS[node.op].domain),
  )

const dimMessage = (dim: Dim): Message =>
  messageField(1, typeof dim === 'number' ? intField(1, dim) : textField(2, dim))

const valueInfo = (field: number, name: string, { type, shape }: Tensor): Message =>
  messageField(
    field,
    textField(1, name),
    messageField(2, messageField(1, intField(1, TYPE_CODES[type]), messageField(2, ...shape.map(dimMessage)))),
  )

const opset = (domain: string, version: number): Message => messageField(8, textField(1, domain), intField(2, version))

/** Names in the file: those of the program's outputs for the tensors they stand for. */
const namesOf = (program: Program): ((tensor: Tensor) => string) => {
  const renamed = new Map<Tensor, string>()
  for (const [name, tensor] of program.outputs) {
    if (renamed.has(tensor)) throw new GraphError(`${name} and ${renamed.get(tensor)} are one tensor`)
    renamed.set(tensor, name)
  }
  return (tensor) => renamed.get(tensor) ?? tensor.name
}

/** The bytes of a model file (opset 21, IR version 10). */
export const encodeProgram = (program: Program): Uint8Array => {
  const computed = new Set(program.nodes.flatMap((node) => node.outputs))
  for (const [name, tensor] of program.outputs)
    assert(computed.has(tensor), 'an output is computed by a node', { name })
  const names = namesOf(program)
  return toBytes([
    ...intField(1, IR_VERSION),
    ...textField(2, 'understory'),
    ...messageField(
      7,
      ...program.nodes.map((node) => nodeMessage(node, names)),
      textField(2, 'understory'),
      ...constantsOf(program).map((tensor) =>
        messageField(
          5,
          ...tensorParts(tensor.type, numbersOf(tensor.shape), tensor.constant!),
          textField(8, tensor.name),
        ),
      ),
      ...program.inputs.map((input) => valueInfo(11, input.name, input)),
      ...[...program.outputs].map(([name, tensor]) => valueInfo(12, name, tensor)),
    ),
    ...opset('', OPSET),
    ...opset('com.microsoft', MICROSOFT_OPSET),
  ])
}
