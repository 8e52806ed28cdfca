/**
 * Runs any program in float64, slowly: the oracle that rules and the runtime are tested against, and the
 * arithmetic of constant folding.
 */
import { assert } from '#shared/std/assert.ts'
import { array, type NdArray } from './array.ts'
import { GraphError, type Node, numbersOf, type Tensor } from './graph.ts'
import { OPS } from './ops/table.ts'
import type { Program } from './program.ts'

export const constantArray = (tensor: Tensor): NdArray => {
  assert(tensor.constant !== undefined, 'a constant', { name: tensor.name })
  return array(numbersOf(tensor.shape), tensor.constant)
}

export const evaluateNode = (node: Node, inputs: readonly NdArray[]): readonly NdArray[] => {
  try {
    return OPS[node.op].evaluate(inputs, node.attributes, node.outputs)
  } catch (cause) {
    throw new GraphError(`${node.path}: ${node.op} could not be evaluated`, { cause })
  }
}

/** Values of all outputs by name. `feeds` holds every input by name. */
export const interpret = (
  program: Program,
  feeds: Readonly<Record<string, NdArray>>,
): Readonly<Record<string, NdArray>> => {
  const values = new Map<Tensor, NdArray>()
  for (const input of program.inputs) {
    const value = feeds[input.name]
    assert(value !== undefined, 'every input is fed', { name: input.name })
    values.set(input, value)
  }
  for (const node of program.nodes) {
    const inputs = node.inputs.map((input) => values.get(input) ?? constantArray(input))
    for (const [i, value] of evaluateNode(node, inputs).entries()) values.set(node.outputs[i]!, value)
  }
  return Object.fromEntries([...program.outputs].map(([name, tensor]) => [name, values.get(tensor)!]))
}
