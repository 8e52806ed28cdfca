/**
 * How the encoder's rows [N, width] are seen by attention, and which of them are read at the end. All
 * linears, norms and activations work on the rows; only attention sees observations.
 */
import { concat, gather, reshape, reshapeTo, shapeOf, sizes } from '../graph/calls.ts'
import { addConstant, numbersOf, type Tensor } from '../graph/graph.ts'
import { keyBias } from '../graph/layers/attention.ts'
import { complement, flatten, pad, pickRows, unpad } from '../graph/layers/rows.ts'
import type { Dim } from '../graph/shape.ts'

export type TokenView = {
  readonly batch: Dim
  /** Places of an observation. */
  readonly places: Dim
  /** [N, any] → [batch, places, any]. */
  readonly spread: (x: Tensor) => Tensor
  /** The reverse. */
  readonly collect: (x: Tensor) => Tensor
  /** Added to the scores of keys; null when all are visible. */
  readonly bias: Tensor | null
  /** The rows that are read, [N, any] → [batch, any]; null when the mean of all is. */
  readonly read: ((x: Tensor) => Tensor) | null
}

/** [batch, places], 1 = hidden → [batch, 1, 1, places]. */
const biasOf = (hidden: Tensor): Tensor => {
  const [batch, places] = hidden.shape
  return keyBias(reshape(hidden, [batch!, 1, 1, places!]))
}

/** All places are rows: nothing is packed. The first place is read if there is padding, else the mean is. */
export const fullView = (batch: Dim, places: Dim, hidden: Tensor | null): TokenView => {
  const spread = (x: Tensor): Tensor => {
    const [width] = numbersOf(x.shape.slice(-1))
    return hidden
      ? reshapeTo(x, concat([shapeOf(hidden), sizes(x.graph, [width!])], 0))
      : reshape(x, [batch, places, width!])
  }
  return {
    batch,
    places,
    spread,
    collect: flatten,
    bias: hidden && biasOf(hidden),
    read: hidden && ((x) => gather(spread(x), addConstant(x.graph, 'int32', [], [0]), 1)),
  }
}

/** Rows of visible tokens only, observation by observation. */
export const packedView = (inputs: {
  readonly padIndex: Tensor
  readonly unpadIndex: Tensor
  readonly hidden: Tensor
  readonly readIndex: Tensor
  readonly readInverse: Tensor
}): TokenView => {
  const { padIndex, unpadIndex, hidden, readIndex, readInverse } = inputs
  const [batch, places] = hidden.shape
  const padding = { padIndex, unpadIndex, real: reshape(complement(hidden), [batch!, places!, 1]) }
  return {
    batch: batch!,
    places: places!,
    spread: (x) => pad(x, padding),
    collect: (x) => unpad(x, padding),
    bias: biasOf(hidden),
    read: (x) => pickRows(x, readIndex, readInverse),
  }
}
