/** A finished graph: what is run, written and folded. */
import type { Graph, Node, Tensor } from './graph.ts'

export type Program = {
  readonly inputs: readonly Tensor[]
  /** In an order that computes every input before it is read; all are needed for some output. */
  readonly nodes: readonly Node[]
  readonly outputs: ReadonlyMap<string, Tensor>
}

export const toProgram = (graph: Graph): Program => ({
  inputs: graph.inputs,
  nodes: neededNodes(graph.nodes, graph.outputs),
  outputs: graph.outputs,
})

export const neededNodes = (nodes: readonly Node[], outputs: ReadonlyMap<string, Tensor>): readonly Node[] => {
  const needed = new Set<Tensor>(outputs.values())
  const kept: Node[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue
    for (const input of node.inputs) needed.add(input)
    kept.push(node)
  }
  return kept.reverse()
}

/** The constants that its nodes read, each once. */
export const constantsOf = (program: Program): readonly Tensor[] => [
  ...new Set(program.nodes.flatMap((node) => node.inputs.filter((input) => input.constant !== undefined))),
]
