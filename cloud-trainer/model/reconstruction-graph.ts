/**
 * The graph of a pre-training step: the encoder sees what is visible, a decoder predicts the scaled numbers of hidden
 * tokens, and the loss is the mean squared error, averaged within a modality, then over the modalities that have hidden
 * tokens. Inputs are the parameters of `reconstructionTable` and the feeds of `packReconstruction`.
 *
 * In replace mode a hidden token has an output: LayerNorm → one linear for each group of its block. In drop mode it has
 * none, and what is asked is the CLS token, which a fine-tuned model answers from too: LayerNorm → linear, plus a query
 * for each slot → activation → the same linears.
 */
import { assertNever } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { backward } from '../graph/backward.ts'
import { add, gather, gelu, multiply, relu, reshape, subtract, sum } from '../graph/calls.ts'
import { foldConstants } from '../graph/fold.ts'
import { addInput, addLayer, addOutput, createGraph, type Graph, type Tensor, within } from '../graph/graph.ts'
import { layerNorm } from '../graph/layers/layer-norm.ts'
import { groupLinear } from '../graph/layers/linear.ts'
import { normLinear } from '../graph/layers/norm-linear.ts'
import { flatten, withZeroRow } from '../graph/layers/rows.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { type Program, toProgram } from '../graph/program.ts'
import { assembleTokens } from './assembly.ts'
import { assertConfig, type ModelConfig } from './config.ts'
import { encode, encodeRows } from './encoder.ts'
import { noiseInputs } from './noise.ts'
import { reconstructionTable } from './parameters.ts'
import { gradientOutput, type TrainingGraph, tokenInputs } from './training-graph.ts'
import { inputWeights, linearOf, normOf, parameterWeights, type Weights } from './weights.ts'

/** What the decoder's linears read: a row for each slot of each observation, [B·slots, width]. */
const decoderRows = (
  graph: Graph,
  config: ModelConfig,
  layout: TokenLayout,
  weights: Weights,
  isTraining: boolean,
): Tensor => {
  const { assembly, view } = tokenInputs(graph, config, layout)
  const tokens = assembleTokens(graph, config, layout, weights, assembly)
  const { dropout = 0 } = config
  const noise = isTraining && dropout > 0 ? noiseInputs(graph, dropout, tokens.shape[0]!, view) : null
  const norm = normOf(weights, 'decoder.norm')
  switch (config.mode) {
    case 'replace':
      return layerNorm(encodeRows(tokens, view, weights, config, noise), norm)
    case 'drop': {
      const read = encode(tokens, view, weights, config, noise)
      return within(graph, 'decoder', () => {
        const asked = normLinear(read, norm, ...linearOf(weights, 'decoder.in'))
        const each = add(reshape(asked, [view.batch, 1, config.width]), weights('decoder.query'))
        return flatten(config.activation === 'gelu' ? gelu(each) : relu(each))
      })
    }
    default:
      return assertNever(config.mode)
  }
}

/** Rows of x at `index` [groups, rows]; nothing flows back where `inverse` [B, slots] points behind the last. */
const pickGroups = (x: Tensor, index: Tensor, inverse: Tensor): Tensor =>
  addLayer(
    x.graph,
    'pickGroups',
    () => gather(x, index),
    (gradients, dy) => gradients.add(x, () => flatten(gather(withZeroRow(flatten(dy)), inverse))),
  )

type Guess = { readonly name: string; readonly guess: Tensor; readonly places: readonly [number, string] }

/** By block, [groups, T, features]. */
const guesses = (graph: Graph, layout: TokenLayout, weights: Weights, rows: Tensor): readonly Guess[] =>
  layout.blocks.map(({ name, groups }, i) => {
    const places = [groups, `T${i}`] as const
    const index = addInput(graph, `target.${name}.row`, 'int32', places)
    const inverse = addInput(graph, `target.${name}.inverse`, 'int32', ['B', layout.slots.length])
    const asked = pickGroups(rows, index, inverse)
    return { name, guess: groupLinear(asked, ...linearOf(weights, `decoder.${name}`)), places }
  })

/** Outputs `loss` and the gradient `d.<parameter>` of each. */
export const reconstructionProgram = (config: ModelConfig, layout: TokenLayout): Program => {
  assertConfig(config)
  const graph = createGraph()
  const table = reconstructionTable(config, layout)
  const weights = parameterWeights(graph, table)
  const rows = decoderRows(graph, config, layout, weights, true)
  const losses = guesses(graph, layout, weights, rows).map(({ name, guess, places }, i) => {
    const target = addInput(graph, `target.${name}`, 'float32', [...places, layout.blocks[i]!.features])
    const share = addInput(graph, `target.${name}.share`, 'float32', [...places, 1])
    const miss = subtract(guess, target)
    return sum(multiply(multiply(miss, miss), share), [0, 1, 2], { keep: false })
  })
  const loss = losses.reduce((a, b) => add(a, b))
  addOutput(graph, 'loss', loss)
  const names = table.specs.map(({ name }) => name)
  for (const [i, gradient] of backward(loss, names.map(weights)).entries()) {
    addOutput(graph, gradientOutput(names[i]!), gradient)
  }
  return toProgram(graph)
}

export const guessOutput = (block: string): string => `guess.${block}`

/** Outputs `guess.<block>` [groups, T, features], in the order of `target.<block>.row`. */
export const guessingProgram = (config: ModelConfig, layout: TokenLayout): Program => {
  assertConfig(config)
  const graph = createGraph()
  const weights = inputWeights(graph, reconstructionTable(config, layout))
  const rows = decoderRows(graph, config, layout, weights, false)
  for (const { name, guess } of guesses(graph, layout, weights, rows)) addOutput(graph, guessOutput(name), guess)
  return foldConstants(toProgram(graph))
}

export const buildReconstructionGraph = (config: ModelConfig, layout: TokenLayout): TrainingGraph => ({
  bytes: encodeProgram(reconstructionProgram(config, layout)),
  lossOutput: 'loss',
  gradientOutputs: reconstructionTable(config, layout).specs.map(({ name }) => gradientOutput(name)),
})
