/** A pre-norm transformer encoder (Vaswani et al. 2017; Xiong et al. 2020) and its head. */
import { add, mean, multiply, relu, reshape, split, squeeze, transpose } from '../graph/calls.ts'
import { numbersOf, type Tensor, within } from '../graph/graph.ts'
import { activationLinear } from '../graph/layers/activation-linear.ts'
import { attention } from '../graph/layers/attention.ts'
import { layerNorm } from '../graph/layers/layer-norm.ts'
import { linear } from '../graph/layers/linear.ts'
import { normLinear } from '../graph/layers/norm-linear.ts'
import type { ModelConfig } from './config.ts'
import { attentionMask, type Branch, type Noise, rowMask } from './noise.ts'
import type { TokenView } from './token-view.ts'
import { linearOf, normOf, type Weights } from './weights.ts'

/** [batch, places, parts·width] → parts of [batch, heads, places, width/heads]. */
const splitHeads = (x: Tensor, parts: number, { width, heads }: ModelConfig): readonly Tensor[] => {
  const [batch, places] = x.shape
  const depth = width / heads
  const apart = transpose(reshape(x, [batch!, places!, parts, heads, depth]), [2, 0, 3, 1, 4])
  return split(apart, 0, new Array<number>(parts).fill(1)).map((part) => squeeze(part, [0]))
}

/** [batch, heads, places, depth] → [batch, places, width]. */
const joinHeads = (x: Tensor, { width }: ModelConfig): Tensor => {
  const [batch, , places] = x.shape
  return reshape(transpose(x, [0, 2, 1, 3]), [batch!, places!, width])
}

/** What is dropped in one block; `kept`: the keys of the rows that attend and go on. */
type BlockNoise = { readonly noise: Noise; readonly layer: number; readonly kept: Tensor }

/** A branch as it is added to what it left: some of its numbers dropped, in training. */
const dropped = (x: Tensor, drops: BlockNoise | null, branch: Branch): Tensor => {
  if (drops === null) return x
  const [width] = numbersOf(x.shape.slice(-1))
  return multiply(x, rowMask(drops.noise, drops.kept, width!, drops.layer, branch))
}

/** Every row attends: the change of x [N, width]. */
const attendAll = (
  x: Tensor,
  view: TokenView,
  weights: Weights,
  config: ModelConfig,
  drops: BlockNoise | null,
): Tensor => {
  const projected = normLinear(x, normOf(weights, 'norm'), ...linearOf(weights, 'qkv'))
  const [q, k, v] = splitHeads(view.spread(projected), 3, config)
  const mask = drops && attentionMask(drops.noise, view.spread(drops.kept), config.heads, drops.layer)
  return view.collect(joinHeads(attention(q!, k!, v!, view.bias, mask), config))
}

/** Only the rows that are read attend, to all: queries, residuals and what follows exist for them alone. */
const attendRead = (
  x: Tensor,
  read: Tensor,
  view: TokenView,
  weights: Weights,
  config: ModelConfig,
  drops: BlockNoise | null,
): Tensor => {
  const { width, heads } = config
  const [weight, bias] = linearOf(weights, 'qkv')
  const [queryWeight, keyValueWeight] = split(weight, 1, [width, 2 * width])
  const [queryBias, keyValueBias] = split(bias, 0, [width, 2 * width])
  const norm = normOf(weights, 'norm')
  const q = normLinear(read, norm, queryWeight!, queryBias!)
  const [k, v] = splitHeads(view.spread(normLinear(x, norm, keyValueWeight!, keyValueBias!)), 2, config)
  const mask = drops && attentionMask(drops.noise, reshape(drops.kept, [view.batch, 1, 1]), heads, drops.layer)
  const o = attention(reshape(q, [view.batch, heads, 1, width / heads]), k!, v!, view.bias, mask)
  return reshape(o, [view.batch, width])
}

const block = (
  x: Tensor,
  view: TokenView,
  weights: Weights,
  config: ModelConfig,
  { layer, noise }: { readonly layer: number; readonly noise: Noise | null },
): Tensor => {
  const last = layer === config.layers - 1
  const named =
    (part: string): Weights =>
    (name) =>
      weights(`${part}.${name}`)
  const { graph } = x
  const kept = last && view.read ? view.read(x) : x
  const drops = noise && { noise, layer, kept: last && view.read ? view.read(noise.keys) : noise.keys }
  const mixed = within(graph, 'attention', () => {
    const own = named('attention')
    const o = last && view.read ? attendRead(x, kept, view, own, config, drops) : attendAll(x, view, own, config, drops)
    return add(kept, dropped(linear(o, ...linearOf(own, 'out')), drops, 'attention-out'))
  })
  return within(graph, 'feed', () => {
    const own = named('feed')
    const inner = normLinear(mixed, normOf(own, 'norm'), ...linearOf(own, 'in'))
    return add(mixed, dropped(activationLinear(inner, config.activation, ...linearOf(own, 'out')), drops, 'feed-out'))
  })
}

/** Rows [N, width] → what the last block gives for each row that is read: all of them, or one of an observation. */
export const encodeRows = (
  tokens: Tensor,
  view: TokenView,
  weights: Weights,
  config: ModelConfig,
  noise: Noise | null = null,
): Tensor => {
  let x = tokens
  for (let i = 0; i < config.layers; i++) {
    const own: Weights = (name) => weights(`layer.${i}.${name}`)
    x = within(x.graph, `layer.${i}`, () => block(x, view, own, config, { layer: i, noise }))
  }
  return x
}

/** Rows [N, width] → one row for each observation [batch, width]. `noise`: of a training graph with dropout. */
export const encode = (
  tokens: Tensor,
  view: TokenView,
  weights: Weights,
  config: ModelConfig,
  noise: Noise | null = null,
): Tensor => {
  const x = encodeRows(tokens, view, weights, config, noise)
  return view.read ? x : mean(view.spread(x), [1], { keep: false })
}

/** LayerNorm → ReLU → linear. [batch, width] → logits [batch, labels]. */
export const head = (x: Tensor, weights: Weights): Tensor =>
  within(x.graph, 'head', () => linear(relu(layerNorm(x, normOf(weights, 'head.norm'))), ...linearOf(weights, 'head')))
