/** From the numbers of visible tokens to the rows of the encoder. */
import { assert } from '#shared/std/assert.ts'
import type { TokenBlock, TokenLayout } from '#shared/tokens/layout.ts'
import { add, concat, gather, matMul, relu, reshape } from '../graph/calls.ts'
import { addInput, addLayer, type Graph, numbersOf, type Tensor, within } from '../graph/graph.ts'
import { groupLinear } from '../graph/layers/linear.ts'
import { periodic } from '../graph/layers/periodic.ts'
import { flatten, withZeroRow, zeroRow } from '../graph/layers/rows.ts'
import { product, type Shape } from '../graph/shape.ts'
import type { ModelConfig } from './config.ts'
import type { Weights } from './weights.ts'

/** Where each row of the encoder comes from. Index shapes: [N], or [B, K] for an unpacked view. */
export type Assembly = {
  /** int32: row of the table of embedded tokens, whose row 0 is the special one. */
  readonly assemble: Tensor
  /** int32: row of the identity vectors; null when rows lie in slot order. */
  readonly slot: Tensor | null
  /** What the backward pass needs besides; null for a graph that is not differentiated. */
  readonly backward: AssemblyBackward | null
}

type AssemblyBackward = {
  /** By block, [groups, rows] int32: the row of the encoder that shows each embedded token, or N for none. */
  readonly inverse: readonly Tensor[]
  /** [B, slots] float32, 1 = hidden: the places of the mask vector. Null where there is none. */
  readonly hidden: Tensor | null
}

export const blockRows = (index: number): string => `R${index}`

/** One block's tokens, [groups, rows, features] → [groups, rows, width]. Periodic ones pass a ReLU. */
const embed = (
  graph: Graph,
  { name, encoding, groups, features }: TokenBlock,
  index: number,
  weights: Weights,
): Tensor => {
  const x = addInput(graph, `x.${name}`, 'float32', [groups, blockRows(index), features])
  const [weight, bias] = [weights(`embed.${name}.weight`), weights(`embed.${name}.bias`)]
  return within(graph, `embed.${name}`, () =>
    encoding === 'periodic'
      ? relu(groupLinear(periodic(x, weights(`embed.${name}.frequencies`)), weight, bias))
      : groupLinear(x, weight, bias),
  )
}

/** Rows of the table of embedded tokens in the order of `assemble`. */
const assembled = (blocks: readonly Tensor[], mask: Tensor | null, { assemble, backward }: Assembly): Tensor => {
  const { graph } = assemble
  const [width] = numbersOf(blocks[0]!.shape.slice(-1))
  return addLayer(
    graph,
    'assemble',
    () => gather(concat([mask ?? zeroRow(graph, width!), ...blocks.map(flatten)], 0), assemble),
    (gradients, dy) => {
      assert(backward !== null, 'a differentiated assembly has inverse indices')
      const rows = dy.shape.length > 2 ? flatten(dy) : dy
      const padded = withZeroRow(rows)
      for (const [i, block] of blocks.entries()) gradients.add(block, () => gather(padded, backward.inverse[i]!))
      if (mask && backward.hidden) {
        const row: Shape = [1, product(backward.hidden.shape)]
        gradients.add(mask, () => matMul(reshape(backward.hidden!, row), rows))
      }
    },
  )
}

/** The encoder's rows [N, width]: content (or the mask vector) plus identity. Adds the inputs `x.<block>`. */
export const assembleTokens = (
  graph: Graph,
  config: ModelConfig,
  layout: TokenLayout,
  weights: Weights,
  assembly: Assembly,
): Tensor => {
  const blocks = layout.blocks.map((block, i) => embed(graph, block, i, weights))
  const mask = config.mode === 'replace' ? weights('mask') : null
  const identity = weights('identity')
  const x = add(assembled(blocks, mask, assembly), assembly.slot ? gather(identity, assembly.slot) : identity)
  return x.shape.length > 2 ? flatten(x) : x
}
