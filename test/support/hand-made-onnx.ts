/** ONNX files made by hand, field by field, for what no exporter of ours would write. Field numbers: onnx.proto. */
import {
  bytesField,
  floatField,
  intField,
  type Message,
  messageField,
  textField,
  toBytes,
} from '#cloud/graph/protobuf.ts'

const FLOAT32 = 1
const INT64 = 7

export const attribute = {
  int: (name: string, value: number): Message =>
    messageField(5, textField(1, name), intField(3, value), intField(20, 2)),
  float: (name: string, value: number): Message =>
    messageField(5, textField(1, name), floatField(2, value), intField(20, 1)),
  graph: (name: string, graph: Message): Message =>
    messageField(5, textField(1, name), messageField(6, graph), intField(20, 5)),
}

export const node = (
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  { domain = '', attributes = [] }: { readonly domain?: string; readonly attributes?: readonly Message[] } = {},
): Message =>
  messageField(
    1,
    ...inputs.map((name) => textField(1, name)),
    ...outputs.map((name) => textField(2, name)),
    textField(4, operator),
    ...attributes,
    textField(7, domain),
  )

const tensor = (name: string, type: number, shape: readonly number[], raw: Uint8Array, ...more: Message[]): Message =>
  messageField(
    5,
    ...shape.map((size) => intField(1, size)),
    intField(2, type),
    textField(8, name),
    bytesField(9, raw),
    ...more,
  )

const rawOf = (array: Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

export const floats = (name: string, shape: readonly number[], values: readonly number[], ...more: Message[]) =>
  tensor(name, FLOAT32, shape, rawOf(Float32Array.from(values)), ...more)

export const int64s = (name: string, values: readonly number[]): Message =>
  tensor(name, INT64, [values.length], rawOf(BigInt64Array.from(values, BigInt)))

/** `external_data` entries and `data_location = EXTERNAL` of a tensor. */
export const externalData = (file: string): Message => [
  ...messageField(13, textField(1, 'location'), textField(2, file)),
  ...intField(14, 1),
]

export type Dim = number | string

const value = (field: number, name: string, type: number, shape: readonly Dim[]): Message =>
  messageField(
    field,
    textField(1, name),
    messageField(
      2,
      messageField(
        1,
        intField(1, type),
        messageField(
          2,
          ...shape.map((dim) => messageField(1, typeof dim === 'number' ? intField(1, dim) : textField(2, dim))),
        ),
      ),
    ),
  )

export const input = (name: string, shape: readonly Dim[], type = FLOAT32): Message => value(11, name, type, shape)
export const output = (name: string, shape: readonly Dim[], type = FLOAT32): Message => value(12, name, type, shape)

export const opset = (domain: string, version: number): Message =>
  messageField(8, textField(1, domain), intField(2, version))

/** The file of a graph. `more` are further fields of the model; `opsets` replace the usual ones. */
export const model = (
  graph: readonly Message[],
  {
    more = [],
    opsets = [opset('', 21), opset('com.microsoft', 1)],
    irVersion = 10,
  }: { readonly more?: readonly Message[]; readonly opsets?: readonly Message[]; readonly irVersion?: number } = {},
): Uint8Array =>
  toBytes([
    ...intField(1, irVersion),
    ...messageField(7, textField(2, 'hand-made'), ...graph),
    ...opsets.flat(),
    ...more.flat(),
  ])
