/** Computes ahead what depends on constants only: in float64, rounded once when it is written. */
import { addConstant, type Node, type Tensor } from './graph.ts'
import { constantArray, evaluateNode } from './interpret.ts'
import { neededNodes, type Program } from './program.ts'

export const foldConstants = (program: Program): Program => {
  const folded = new Map<Tensor, Tensor>()
  const nodes: Node[] = []
  for (const node of program.nodes) {
    const inputs = node.inputs.map((input) => folded.get(input) ?? input)
    if (inputs.some((input) => input.constant === undefined)) {
      nodes.push({ ...node, inputs })
      continue
    }
    for (const [i, value] of evaluateNode(node, inputs.map(constantArray)).entries()) {
      const output = node.outputs[i]!
      folded.set(output, addConstant(output.graph, output.type, value.shape, value.data))
    }
  }
  return { ...program, nodes: neededNodes(nodes, program.outputs) }
}
