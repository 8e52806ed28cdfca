/**
 * A graph under construction. Each node's shapes are worked out when it is added, so a mistake is reported
 * where it was made, with the layer's path; the runtime's own message would come late and name a number.
 */
import { assert } from '#shared/std/assert.ts'
import type { Attributes } from './attributes.ts'
import { OPS } from './ops/table.ts'
import { type Dim, type Shape, ShapeError, showShape } from './shape.ts'
import type { ElementType, OpName, Value } from './types.ts'

export type Tensor = Value & {
  readonly graph: Graph
  readonly name: string
  /** A gradient may be asked for: it depends on a parameter. */
  readonly differentiable: boolean
  /** The numbers of a constant, not yet rounded to its element type. */
  readonly constant?: Numbers
}

export type Numbers = Float64Array | Float32Array

export type Node = {
  readonly op: OpName
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  readonly attributes: Attributes
  readonly path: string
}

/** What the backward pass goes through from its end: single nodes, and layers with a rule of their own. */
export type TapeEntry = { readonly kind: 'node'; readonly node: Node } | ({ readonly kind: 'layer' } & Layer)

type Layer = {
  readonly name: string
  readonly output: Tensor
  readonly backward: (gradients: Gradients) => void
}

/** Where backward rules read the gradients of outputs and leave those of inputs. */
export type Gradients = {
  /** Gradient of an output, or null when nothing that is differentiated depends on it. */
  readonly of: (output: Tensor) => Tensor | null
  /** Adds to an input's gradient. `make` runs only if the input is differentiable. */
  readonly add: (input: Tensor, make: () => Tensor) => void
  /** The same for a Gemm, which takes the sum so far as its third operand (null at first). */
  readonly addProduct: (input: Tensor, make: (sum: Tensor | null) => Tensor) => void
}

/** Changed only by the functions of this file and by `backward`. */
export type Graph = {
  readonly inputs: Tensor[]
  readonly nodes: Node[]
  readonly constants: Map<string, Tensor>
  readonly outputs: Map<string, Tensor>
  readonly tape: TapeEntry[]
  readonly path: string[]
  /** Rows of ones by length (calls.ts): each is made once per run. */
  readonly ones: Map<Dim, Tensor>
  recording: boolean
  count: number
}

export class GraphError extends Error {
  readonly code = 'graph'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'GraphError'
  }
}

export const createGraph = (): Graph => ({
  inputs: [],
  nodes: [],
  constants: new Map(),
  outputs: new Map(),
  tape: [],
  path: [],
  ones: new Map(),
  recording: true,
  count: 0,
})

/** Builds under a name that appears in error messages: "layer.1.attention". */
export const within = <T>(graph: Graph, name: string, make: () => T): T => {
  graph.path.push(name)
  try {
    return make()
  } finally {
    graph.path.pop()
  }
}

const pathOf = (graph: Graph): string => graph.path.join('.') || 'graph'

export const addInput = (graph: Graph, name: string, type: ElementType, shape: Shape): Tensor => {
  assert(!graph.inputs.some((input) => input.name === name), 'input names are unique', { name })
  const tensor: Tensor = { graph, name, type, shape, differentiable: false }
  graph.inputs.push(tensor)
  return tensor
}

/** An input whose gradient can be asked for. */
export const addParameter = (graph: Graph, name: string, shape: readonly number[]): Tensor => {
  const tensor: Tensor = { ...addInput(graph, name, 'float32', shape), differentiable: true }
  graph.inputs[graph.inputs.length - 1] = tensor
  return tensor
}

/** Small constants are compared by value and stored once. */
const SHARED_UP_TO = 4096

export const addConstant = (
  graph: Graph,
  type: ElementType,
  shape: readonly number[],
  numbers: ArrayLike<number>,
): Tensor => {
  const size = shape.reduce((n, dim) => n * dim, 1)
  assert(numbers.length === size, 'a constant fills its shape', { shape, length: numbers.length })
  const key = size <= SHARED_UP_TO ? `${type}[${shape}]${Array.from(numbers)}` : `#${graph.count++}`
  const known = graph.constants.get(key)
  if (known) return known
  const tensor: Tensor = {
    graph,
    name: `c${graph.constants.size}`,
    type,
    shape,
    differentiable: false,
    constant: numbers instanceof Float32Array ? numbers : Float64Array.from(numbers),
    ...((type === 'int64' || type === 'int32') && shape.length === 1 ? { contents: Array.from(numbers) } : {}),
  }
  graph.constants.set(key, tensor)
  return tensor
}

/** Adds a node. Throws GraphError naming the layer, the operator and the shapes when they don't fit. */
export const emit = (op: OpName, inputs: readonly Tensor[], attributes: Attributes = {}): readonly Tensor[] => {
  const graph = inputs[0]?.graph
  assert(graph !== undefined, 'every operator has an input', { op })
  const path = pathOf(graph)
  const values = inferred(op, inputs, attributes, path)
  const differentiable = inputs.some((input) => input.differentiable)
  const outputs = values.map(
    (value): Tensor => ({
      ...value,
      graph,
      name: `${op}.${graph.count++}`,
      differentiable: differentiable && value.type === 'float32',
    }),
  )
  const node: Node = { op, inputs, outputs, attributes, path }
  graph.nodes.push(node)
  if (graph.recording && outputs.some((output) => output.differentiable)) graph.tape.push({ kind: 'node', node })
  return outputs
}

const inferred = (op: OpName, inputs: readonly Tensor[], attributes: Attributes, path: string): readonly Value[] => {
  const row = OPS[op]
  const [fewest, most] = row.arity
  assert(inputs.length >= fewest && inputs.length <= most, 'the number of inputs fits', { path, op, n: inputs.length })
  for (const [name, { kind }] of Object.entries(attributes)) {
    assert(row.attributes[name] === kind, 'attributes have their declared type', { path, op, name, kind })
  }
  assert(
    inputs.every((input) => input.graph === inputs[0]!.graph),
    'operands belong to one graph',
    { path, op },
  )
  try {
    return row.infer(inputs, attributes)
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    const operands = inputs.map((input) => `${input.type}${showShape(input.shape)}`).join(', ')
    throw new GraphError(`${path}: ${op} of ${operands}: ${error.message}`, { cause: error })
  }
}

/**
 * Adds a layer whose gradient is written by hand: `make` returns its output, `backward` gets the gradient
 * of that and leaves those of whatever the layer reads. Its nodes are not differentiated one by one.
 */
export const addLayer = (
  graph: Graph,
  name: string,
  make: () => Tensor,
  backward: (gradients: Gradients, dy: Tensor) => void,
): Tensor => {
  const recording = graph.recording
  graph.recording = false
  const output = within(graph, name, make)
  graph.recording = recording
  if (recording && output.differentiable) {
    graph.tape.push({
      kind: 'layer',
      name,
      output,
      backward: (gradients) => backward(gradients, gradients.of(output)!),
    })
  }
  return output
}

/** Names a tensor as an output of the graph. */
export const addOutput = (graph: Graph, name: string, tensor: Tensor): void => {
  assert(!graph.outputs.has(name), 'output names are unique', { name })
  assert(
    graph.nodes.some((node) => node.outputs.includes(tensor)),
    'an output is computed by a node',
    { name, tensor: tensor.name },
  )
  graph.outputs.set(name, tensor)
}

/** The sizes of a tensor as known numbers; symbols are refused. */
export const numbersOf = (shape: Shape): readonly number[] =>
  shape.map((dim: Dim) => {
    assert(typeof dim === 'number', 'a size that is known while building', { dim })
    return dim
  })
