/**
 * Weights stored in half precision (IEEE 754 binary16): each large constant becomes its nearest float16 and a Cast that
 * ONNX Runtime carries out once, when it loads the model. Half the bytes travel; what is computed is float32, as fast as ever.
 */
import { cast } from '../graph/calls.ts'
import { addConstant, type Node, numbersOf, type Tensor } from '../graph/graph.ts'
import { constantsOf, type Program } from '../graph/program.ts'

/** Elements from which on the bytes that are saved outweigh the Cast's own. */
const WORTH_A_CAST = 256
/** Largest finite float16. */
const LARGEST = 65_504

/** A constant with a number beyond float16 stays as it is. */
const isHalved = ({ type, constant }: Tensor): boolean =>
  type === 'float32' && constant!.length >= WORTH_A_CAST && constant!.every((x) => Math.abs(x) <= LARGEST)

export const withHalfWeights = (program: Program): Program => {
  const casts: Node[] = []
  const instead = new Map<Tensor, Tensor>()
  for (const constant of constantsOf(program).filter(isHalved)) {
    const { graph, shape } = constant
    const widened = cast(addConstant(graph, 'float16', numbersOf(shape), constant.constant!), 'float32')
    casts.push(graph.nodes.at(-1)!)
    instead.set(constant, widened)
  }
  const nodes = program.nodes.map((node) => ({ ...node, inputs: node.inputs.map((x) => instead.get(x) ?? x) }))
  return { ...program, nodes: [...casts, ...nodes] }
}
