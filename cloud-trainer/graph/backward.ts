/** Reverse-mode differentiation: adds the nodes that compute the gradients of one number. */
import { assert } from '#shared/std/assert.ts'
import { add, scalar } from './calls.ts'
import { GRADIENTS } from './gradients/table.ts'
import { type Gradients, type Graph, GraphError, type TapeEntry, type Tensor, within } from './graph.ts'
import { sameShape, showShape } from './shape.ts'

/**
 * Gradients of `loss` (no axes) with respect to each of `parameters`, in their order. Adds nodes to the
 * graph; may be called once. A parameter that the loss does not depend on is refused.
 */
export const backward = (loss: Tensor, parameters: readonly Tensor[]): readonly Tensor[] => {
  const { graph } = loss
  assert(loss.shape.length === 0, 'the loss is one number', { shape: showShape(loss.shape) })
  assert(graph.recording, 'a graph is differentiated once')
  graph.recording = false
  const found = new Map<Tensor, Tensor>([[loss, scalar(graph, 1)]])
  const gradients = collect(found)
  within(graph, 'backward', () => {
    for (const entry of graph.tape.toReversed()) visit(entry, found, gradients)
  })
  return parameters.map((parameter) => {
    const gradient = found.get(parameter)
    if (!gradient) throw new GraphError(`the loss does not depend on ${parameter.name}`)
    return gradient
  })
}

const collect = (found: Map<Tensor, Tensor>): Gradients => {
  const store = (input: Tensor, gradient: Tensor) => {
    if (!sameShape(gradient.shape, input.shape)) {
      throw new GraphError(
        `the gradient ${showShape(gradient.shape)} does not fit ${input.name} ${showShape(input.shape)}`,
      )
    }
    found.set(input, gradient)
  }
  return {
    of: (output) => found.get(output) ?? null,
    add: (input, make) => {
      if (!input.differentiable) return
      const sum = found.get(input)
      const gradient = make()
      store(input, sum ? add(sum, gradient) : gradient)
    },
    addProduct: (input, make) => {
      if (input.differentiable) store(input, make(found.get(input) ?? null))
    },
  }
}

const visit = (entry: TapeEntry, found: ReadonlyMap<Tensor, Tensor>, gradients: Gradients): void => {
  const outputs = entry.kind === 'layer' ? [entry.output] : entry.node.outputs
  if (!outputs.some((output) => found.has(output))) return
  const graph: Graph = outputs[0]!.graph
  if (entry.kind === 'layer') {
    within(graph, entry.name, () => entry.backward(gradients))
    return
  }
  const { node } = entry
  const rule = GRADIENTS[node.op]
  if (typeof rule !== 'function') throw new GraphError(`${node.path}: ${node.op} has no gradient: ${rule.none}`)
  within(graph, `${node.path}.${node.op}`, () => rule(node, gradients))
}
