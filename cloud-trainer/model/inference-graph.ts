/**
 * The graph that predicts, made of the same layers. Inputs are those of `packInferenceBatch`
 * (shared/tokens/batch.ts), output is `logits` [B, labels].
 */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { foldConstants } from '../graph/fold.ts'
import { addInput, addOutput, createGraph, type Graph } from '../graph/graph.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { type Program, toProgram } from '../graph/program.ts'
import { type Assembly, assembleTokens } from './assembly.ts'
import { assertConfig, type ModelConfig } from './config.ts'
import { encode, head } from './encoder.ts'
import { parameterTable } from './parameters.ts'
import { fullView, type TokenView } from './token-view.ts'
import { constantWeights, inputWeights } from './weights.ts'

const dropInputs = (graph: Graph): { readonly assembly: Assembly; readonly view: TokenView } => ({
  assembly: {
    assemble: addInput(graph, 'assemble', 'int32', ['B', 'K']),
    slot: addInput(graph, 'slot', 'int32', ['B', 'K']),
    backward: null,
  },
  view: fullView('B', 'K', addInput(graph, 'hidden', 'float32', ['B', 'K'])),
})

const replaceInputs = (graph: Graph, slots: number): { readonly assembly: Assembly; readonly view: TokenView } => ({
  assembly: { assemble: addInput(graph, 'assemble', 'int32', ['B', slots]), slot: null, backward: null },
  view: fullView('B', slots, null),
})

export const inferenceProgram = (
  config: ModelConfig,
  layout: TokenLayout,
  weights: Float32Array | 'inputs',
): Program => {
  assertConfig(config)
  const graph = createGraph()
  const table = parameterTable(config, layout)
  const source = weights === 'inputs' ? inputWeights(graph, table) : constantWeights(graph, table, weights)
  const { assembly, view } = config.mode === 'drop' ? dropInputs(graph) : replaceInputs(graph, layout.slots.length)
  const tokens = assembleTokens(graph, config, layout, source, assembly)
  addOutput(graph, 'logits', head(encode(tokens, view, source, config), source))
  return foldConstants(toProgram(graph))
}

/**
 * An ONNX file. `weights`: one flat array that becomes part of it, with norms folded into linears in
 * float64 and rounded once; or 'inputs', to be fed by name (evaluation between training steps).
 */
export const buildInferenceGraph = (
  config: ModelConfig,
  layout: TokenLayout,
  weights: Float32Array | 'inputs',
): Uint8Array => encodeProgram(inferenceProgram(config, layout, weights))
