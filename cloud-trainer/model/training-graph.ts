/**
 * The graph of a training step: forward pass, loss and backward pass. Inputs are the parameters by name and
 * the feeds of `packTrainingBatch`; outputs are `loss`, `logits` [B, labels] (for tests and curves) and the
 * gradient `d.<parameter>` of each.
 */
import { taskOf } from '#shared/domain/task.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { backward } from '../graph/backward.ts'
import { addInput, addOutput, createGraph, type Graph, type Tensor } from '../graph/graph.ts'
import { binaryCrossEntropy } from '../graph/layers/binary-cross-entropy.ts'
import { crossEntropy } from '../graph/layers/cross-entropy.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { type Program, toProgram } from '../graph/program.ts'
import { type Assembly, assembleTokens, blockRows } from './assembly.ts'
import { assertConfig, type ModelConfig } from './config.ts'
import { encode, head } from './encoder.ts'
import { noiseInputs } from './noise.ts'
import { parameterTable } from './parameters.ts'
import { fullView, packedView, type TokenView } from './token-view.ts'
import { parameterWeights } from './weights.ts'

export { packTrainingBatch, type TrainingBatch } from './training-batch.ts'

export type TrainingGraph = {
  /** An ONNX file. */
  readonly bytes: Uint8Array
  readonly lossOutput: 'loss'
  /** `d.<parameter>`, in the order of the parameter table. */
  readonly gradientOutputs: readonly string[]
}

export const gradientOutput = (parameter: string): string => `d.${parameter}`

const inverseInputs = (graph: Graph, layout: TokenLayout) =>
  layout.blocks.map(({ name, groups }, i) => addInput(graph, `inverse.${name}`, 'int32', [groups, blockRows(i)]))

/** Visible tokens, packed: N rows, of which attention sees a view of B × K places. */
const dropInputs = (graph: Graph, layout: TokenLayout): { readonly assembly: Assembly; readonly view: TokenView } => ({
  assembly: {
    assemble: addInput(graph, 'assemble', 'int32', ['N']),
    slot: addInput(graph, 'slot', 'int32', ['N']),
    backward: { inverse: inverseInputs(graph, layout), hidden: null },
  },
  view: packedView({
    padIndex: addInput(graph, 'padIndex', 'int32', ['B', 'K']),
    unpadIndex: addInput(graph, 'unpadIndex', 'int32', ['N']),
    hidden: addInput(graph, 'hidden', 'float32', ['B', 'K']),
    readIndex: addInput(graph, 'clsRow', 'int32', ['B']),
    readInverse: addInput(graph, 'clsInverse', 'int32', ['N']),
  }),
})

/** Every slot of every observation, in order. */
const replaceInputs = (
  graph: Graph,
  layout: TokenLayout,
): { readonly assembly: Assembly; readonly view: TokenView } => {
  const slots = layout.slots.length
  return {
    assembly: {
      assemble: addInput(graph, 'assemble', 'int32', ['B', slots]),
      slot: null,
      backward: {
        inverse: inverseInputs(graph, layout),
        hidden: addInput(graph, 'hidden', 'float32', ['B', slots]),
      },
    },
    view: fullView('B', slots, null),
  }
}

/** The inputs of `tokenFeeds`, noise excepted. */
export const tokenInputs = (
  graph: Graph,
  config: ModelConfig,
  layout: TokenLayout,
): { readonly assembly: Assembly; readonly view: TokenView } =>
  config.mode === 'drop' ? dropInputs(graph, layout) : replaceInputs(graph, layout)

const lossOf = (graph: Graph, config: ModelConfig, logits: Tensor): Tensor => {
  const labelInput = (name: string): Tensor => addInput(graph, name, 'float32', ['B', config.labels])
  return taskOf(config) === 'single-label'
    ? crossEntropy(logits, labelInput('target'))
    : binaryCrossEntropy(logits, labelInput('positive'), labelInput('negative'))
}

export const trainingProgram = (config: ModelConfig, layout: TokenLayout): Program => {
  assertConfig(config)
  const graph = createGraph()
  const table = parameterTable(config, layout)
  const weights = parameterWeights(graph, table)
  const { assembly, view } = tokenInputs(graph, config, layout)
  const tokens = assembleTokens(graph, config, layout, weights, assembly)
  const { dropout = 0 } = config
  const noise = dropout > 0 ? noiseInputs(graph, dropout, tokens.shape[0]!, view) : null
  const logits = head(encode(tokens, view, weights, config, noise), weights)
  const loss = lossOf(graph, config, logits)
  addOutput(graph, 'loss', loss)
  addOutput(graph, 'logits', logits)
  const names = table.specs.map(({ name }) => name)
  for (const [i, gradient] of backward(loss, names.map(weights)).entries()) {
    addOutput(graph, gradientOutput(names[i]!), gradient)
  }
  return toProgram(graph)
}

export const buildTrainingGraph = (config: ModelConfig, layout: TokenLayout): TrainingGraph => ({
  bytes: encodeProgram(trainingProgram(config, layout)),
  lossOutput: 'loss',
  gradientOutputs: parameterTable(config, layout).specs.map(({ name }) => gradientOutput(name)),
})
