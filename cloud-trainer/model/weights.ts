/** Where a model's layers get their parameters from: by name, whether they are inputs or constants of the graph. */
import { assert } from '#shared/std/assert.ts'
import { addConstant, addInput, addParameter, type Graph, type Tensor } from '../graph/graph.ts'
import type { Norm } from '../graph/layers/norm-linear.ts'
import type { ParameterSpec, ParameterTable } from './parameters.ts'

export type Weights = (name: string) => Tensor

const weights = (table: ParameterTable, make: (spec: ParameterSpec) => Tensor): Weights => {
  const tensors = new Map(table.specs.map((spec) => [spec.name, make(spec)]))
  return (name) => {
    const tensor = tensors.get(name)
    assert(tensor !== undefined, 'a parameter of this model', { name })
    return tensor
  }
}

/** Fed with every run, and differentiable. */
export const parameterWeights = (graph: Graph, table: ParameterTable): Weights =>
  weights(table, ({ name, shape }) => addParameter(graph, name, shape))

/** Fed with every run. */
export const inputWeights = (graph: Graph, table: ParameterTable): Weights =>
  weights(table, ({ name, shape }) => addInput(graph, name, 'float32', shape))

/** Part of the graph. */
export const constantWeights = (graph: Graph, table: ParameterTable, values: Float32Array): Weights => {
  assert(values.length === table.total, 'the weights fill the table', { weights: values.length, total: table.total })
  return weights(table, ({ shape, offset, size }) =>
    addConstant(graph, 'float32', shape, values.subarray(offset, offset + size)),
  )
}

export const linearOf = (weights: Weights, name: string): readonly [weight: Tensor, bias: Tensor] => [
  weights(`${name}.weight`),
  weights(`${name}.bias`),
]

export const normOf = (weights: Weights, name: string): Norm => ({
  scale: weights(`${name}.scale`),
  shift: weights(`${name}.shift`),
})
