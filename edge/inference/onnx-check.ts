/**
 * Judges the bytes of a model before ONNX Runtime sees them: one bounded walk that accepts nothing but what our
 * exporter can write. External data is refused wherever it stands (ONNX Runtime would read files that the model
 * names), and so are subgraphs (a loop of 2·10⁹ fits into 283 bytes), foreign operators, and sizes that lie.
 * Shapes computed at run time escape this; the memory limit of the process is for them.
 * Field numbers and types are those of onnx.proto.
 */
import { err, ok, type Result } from '#shared/std/result.ts'
import type { GraphInfo, TensorInfo } from './messages.ts'
import { NEWEST_IR_VERSION, NEWEST_OPSET, OPERATORS } from './operators.ts'
import {
  type Budget,
  type Fields,
  type MessageKind,
  ProtobufError,
  readMessage,
  refuse,
  textOf,
} from './protobuf-reader.ts'

export const MAX_MODEL_BYTES = 1 << 26

const MAX_FIELDS = 1_000_000
const MAX_NODES = 10_000
const MAX_INITIALIZERS = 5000
const MAX_RANK = 8
const MAX_ELEMENTS = 2 ** 31 - 1
/** Elements of a shape that stands in the file as a literal. */
const MAX_LITERAL_SHAPE = 1 << 26

const MODEL: MessageKind = {
  name: 'the model',
  once: { 1: 'number', 2: 'bytes', 3: 'bytes', 7: 'bytes' },
  many: { 8: 'bytes' },
  refused: { 20: 'training info', 25: 'local functions' },
}
const OPSET: MessageKind = { name: 'an operator set', once: { 1: 'bytes', 2: 'number' } }
const GRAPH: MessageKind = {
  name: 'the graph',
  once: { 2: 'bytes' },
  many: { 1: 'bytes', 5: 'bytes', 11: 'bytes', 12: 'bytes' },
  refused: { 14: 'quantization notes', 15: 'sparse initializers' },
}
const NODE: MessageKind = {
  name: 'a node',
  once: { 3: 'bytes', 4: 'bytes', 7: 'bytes' },
  many: { 1: 'bytes', 2: 'bytes', 5: 'bytes' },
  refused: { 8: 'a call of a local function' },
}
const SUBGRAPH = 'a subgraph'
const ATTRIBUTE: MessageKind = {
  name: 'an attribute',
  once: { 1: 'bytes', 2: 'float', 3: 'number', 4: 'bytes', 5: 'bytes', 20: 'number' },
  many: { 8: 'number' },
  refused: { 6: SUBGRAPH, 11: SUBGRAPH, 21: 'a reference to a function', 22: 'a sparse tensor' },
}
const TENSOR: MessageKind = {
  name: 'a tensor',
  once: { 2: 'number', 8: 'bytes', 9: 'bytes' },
  many: { 1: 'number' },
  refused: { 6: 'a tensor of strings', 13: 'external data', 14: 'external data' },
}
const VALUE_INFO: MessageKind = { name: 'a value', once: { 1: 'bytes', 2: 'bytes' } }
const TYPE: MessageKind = {
  name: 'a type',
  once: { 1: 'bytes' },
  refused: { 4: 'a sequence', 5: 'a map', 8: 'a sparse tensor', 9: 'an optional value' },
}
const TENSOR_TYPE: MessageKind = { name: 'a tensor type', once: { 1: 'number', 2: 'bytes' } }
const SHAPE: MessageKind = { name: 'a shape', many: { 1: 'bytes' } }
const DIMENSION: MessageKind = { name: 'a dimension', once: { 1: 'number', 2: 'bytes' } }

/** TensorProto.DataType. */
const ELEMENT_TYPES: ReadonlyMap<number, { readonly name: string; readonly bytes: number }> = new Map([
  [1, { name: 'float32', bytes: 4 }],
  [3, { name: 'int8', bytes: 1 }],
  [6, { name: 'int32', bytes: 4 }],
  [7, { name: 'int64', bytes: 8 }],
  [9, { name: 'bool', bytes: 1 }],
  [10, { name: 'float16', bytes: 2 }],
])

/** Which input of an operator is the shape of its result. */
const SHAPE_INPUT: ReadonlyMap<string, number> = new Map([
  ['Reshape', 1],
  ['Expand', 1],
  ['ConstantOfShape', 0],
])

/** What the model says of itself, or why it is refused. */
export const checkOnnx = (bytes: Uint8Array): Result<GraphInfo, string> => {
  if (bytes.length > MAX_MODEL_BYTES) return err(`${bytes.length} bytes long, at most ${MAX_MODEL_BYTES} are taken`)
  try {
    return ok(checkModel(bytes, { fields: MAX_FIELDS }))
  } catch (cause) {
    if (cause instanceof ProtobufError) return err(cause.message)
    throw cause
  }
}

const checkModel = (bytes: Uint8Array, budget: Budget): GraphInfo => {
  const model = readMessage(bytes, MODEL, budget)
  const [irVersion = 0] = model.numbers(1)
  if (irVersion < 3 || irVersion > NEWEST_IR_VERSION) refuse(`IR version ${irVersion}`)
  const opset = checkOpsets(model.bytes(8), budget)
  const [graphBytes] = model.bytes(7)
  const graph = readMessage(graphBytes ?? refuse('no graph'), GRAPH, budget)
  const initializers = checkInitializers(graph.bytes(5), budget)
  checkNodes(graph.bytes(1), initializers, budget)
  return {
    opset,
    irVersion,
    inputs: graph.bytes(11).map((info) => tensorInfo(info, budget)),
    outputs: graph.bytes(12).map((info) => tensorInfo(info, budget)),
  }
}

/** Version of ONNX's own operators. */
const checkOpsets = (imports: readonly Uint8Array[], budget: Budget): number => {
  const versions = new Map<string, number>()
  for (const bytes of imports) {
    const fields = readMessage(bytes, OPSET, budget)
    const domain = fields.text(1)
    const [version = 0] = fields.numbers(2)
    const newest = NEWEST_OPSET.get(domain) ?? refuse(`operators of domain "${domain}"`)
    if (version < 1 || version > newest) refuse(`operator set ${version} of domain "${domain}"`)
    if (versions.has(domain)) refuse(`two operator sets of domain "${domain}"`)
    versions.set(domain, version)
  }
  return versions.get('') ?? refuse('no operator set')
}

type Tensor = { readonly name: string; readonly type: string; readonly raw: Uint8Array }

const checkInitializers = (messages: readonly Uint8Array[], budget: Budget): ReadonlyMap<string, Tensor> => {
  if (messages.length > MAX_INITIALIZERS) refuse(`${messages.length} initializers`)
  const tensors = new Map<string, Tensor>()
  for (const bytes of messages) {
    const tensor = checkTensor(bytes, budget)
    if (tensors.has(tensor.name)) refuse(`two tensors named ${tensor.name}`)
    tensors.set(tensor.name, tensor)
  }
  return tensors
}

const checkTensor = (bytes: Uint8Array, budget: Budget): Tensor => {
  const fields = readMessage(bytes, TENSOR, budget)
  const name = fields.text(8)
  const [code = 0] = fields.numbers(2)
  const type = ELEMENT_TYPES.get(code) ?? refuse(`tensor ${name} has element type ${code}`)
  const elements = elementsOf(fields.numbers(1), `tensor ${name}`)
  const raw = fields.bytes(9)[0] ?? new Uint8Array()
  if (raw.length !== elements * type.bytes) {
    refuse(`tensor ${name} of ${elements} ${type.name} elements has ${raw.length} bytes`)
  }
  return { name, type: type.name, raw }
}

const elementsOf = (dims: readonly number[], what: string): number => {
  if (dims.length > MAX_RANK) refuse(`${what} has ${dims.length} dimensions`)
  let elements = 1
  for (const dim of dims) {
    // Checked one by one, so that a dimension of zero doesn't hide an absurd one.
    if (dim < 0 || dim > MAX_ELEMENTS) refuse(`${what} has a dimension of ${dim}`)
    elements *= dim
  }
  return elements <= MAX_ELEMENTS ? elements : refuse(`${what} has ${elements} elements`)
}

const checkNodes = (
  messages: readonly Uint8Array[],
  initializers: ReadonlyMap<string, Tensor>,
  budget: Budget,
): void => {
  if (messages.length > MAX_NODES) refuse(`${messages.length} nodes`)
  for (const bytes of messages) {
    const node = readMessage(bytes, NODE, budget)
    const [operator, domain] = [node.text(4), node.text(7)]
    if (!OPERATORS.get(domain)?.has(operator)) refuse(`operator ${domain === '' ? '' : `${domain}.`}${operator}`)
    for (const attribute of node.bytes(5)) checkAttribute(attribute, budget)
    checkLiteralShape(operator, node, initializers)
  }
}

const checkAttribute = (bytes: Uint8Array, budget: Budget): void => {
  const fields = readMessage(bytes, ATTRIBUTE, budget)
  for (const tensor of fields.bytes(5)) checkTensor(tensor, budget)
}

const checkLiteralShape = (operator: string, node: Fields, initializers: ReadonlyMap<string, Tensor>): void => {
  const input = SHAPE_INPUT.get(operator)
  const name = input === undefined ? undefined : node.bytes(1)[input]
  const literal = name === undefined ? undefined : initializers.get(textOf(name))
  if (literal === undefined) return
  if (literal.type !== 'int64') refuse(`${operator} by a shape of ${literal.type}`)
  const { buffer, byteOffset, byteLength } = literal.raw
  const view = new DataView(buffer, byteOffset, byteLength)
  let elements = 1
  for (let at = 0; at < byteLength; at += 8) {
    const dim = Number(view.getBigInt64(at, true))
    if (dim < -1 || dim > MAX_LITERAL_SHAPE) refuse(`${operator} to a dimension of ${dim}`)
    // −1 and 0 stand for sizes of the operand.
    elements *= Math.max(dim, 1)
  }
  if (elements > MAX_LITERAL_SHAPE) refuse(`${operator} to ${elements} elements`)
}

const tensorInfo = (bytes: Uint8Array, budget: Budget): TensorInfo => {
  const info = readMessage(bytes, VALUE_INFO, budget)
  const name = info.text(1)
  const inner = (parent: Fields, field: number, kind: MessageKind): Fields =>
    readMessage(parent.bytes(field)[0] ?? refuse(`${name} has no ${kind.name.replace(/^an? /, '')}`), kind, budget)
  const tensor = inner(inner(info, 2, TYPE), 1, TENSOR_TYPE)
  const [code = 0] = tensor.numbers(1)
  const type = ELEMENT_TYPES.get(code) ?? refuse(`${name} has element type ${code}`)
  const shape = inner(tensor, 2, SHAPE)
    .bytes(1)
    .map((dimension) => dimensionOf(name, dimension, budget))
  elementsOf(
    shape.filter((dim) => typeof dim === 'number'),
    name,
  )
  return { name, type: type.name, shape }
}

const dimensionOf = (name: string, bytes: Uint8Array, budget: Budget): number | string => {
  const fields = readMessage(bytes, DIMENSION, budget)
  const [size] = fields.numbers(1)
  const symbol = fields.text(2)
  if (size !== undefined && symbol !== '') refuse(`${name} has a dimension that is both ${size} and ${symbol}`)
  return size ?? symbol
}
