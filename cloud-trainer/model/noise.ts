/** Where the encoder's dropout is drawn from: which row of which observation of which step, and where in the model. */
import { cast, reshape, xor } from '../graph/calls.ts'
import { addInput, type Graph, type Tensor } from '../graph/graph.ts'
import { hashed } from '../graph/hash.ts'
import { columnNumbers, dropoutMask } from '../graph/layers/dropout.ts'
import type { Dim } from '../graph/shape.ts'
import type { TokenView } from './token-view.ts'

/** Probability that a number is dropped, and the keys of the encoder's rows: [N, 1] uint32, all different. */
export type Noise = { readonly rate: number; readonly keys: Tensor; readonly places: Tensor }

/** What a step's masks are drawn from. */
export type NoiseSeed = {
  readonly seed: number
  /** Of the whole run, so that no two steps have equal masks. */
  readonly step: number
  /** [observations]: a number for each that no other of the step has, wherever it is computed. */
  readonly observations: ArrayLike<number>
}

/** Branches of a block that numbers are dropped from. */
export type Branch = 'attention' | 'attention-out' | 'feed-out'
const BRANCHES: readonly Branch[] = ['attention', 'attention-out', 'feed-out']

/** Sets this stream apart from others of the same seed. */
const STREAM = 0x64726f70

const saltOf = (layer: number, branch: Branch): number => layer * BRANCHES.length + BRANCHES.indexOf(branch)

/** Inputs are int32, as all that is fed; their bits are what counts. */
const bitsInput = (graph: Graph, name: string, size: Dim): Tensor =>
  cast(addInput(graph, name, 'int32', [size]), 'uint32')

/** Adds the inputs of `noiseFeeds`. */
export const noiseInputs = (graph: Graph, rate: number, rows: Dim, view: Pick<TokenView, 'places'>): Noise => ({
  rate,
  keys: reshape(bitsInput(graph, 'dropout.rows', rows), [rows, 1]),
  places: bitsInput(graph, 'dropout.places', view.places),
})

/**
 * For rows that lie observation by observation: `counts` of them each, from place 0. places: of the longest observation.
 */
export const noiseKeys = (
  { seed, step, observations }: NoiseSeed,
  counts: readonly number[],
  places: number,
): { readonly rows: Int32Array; readonly places: Int32Array } => {
  const run = hashed(hashed(STREAM ^ seed) ^ Math.floor(seed / 2 ** 32))
  const ofStep = hashed(run ^ step)
  const rows = new Int32Array(counts.reduce((sum, count) => sum + count, 0))
  let row = 0
  for (const [b, count] of counts.entries()) {
    const own = hashed(ofStep ^ observations[b]!)
    for (let place = 0; place < count; place++) rows[row++] = hashed(own ^ hashed(place))
  }
  return { rows, places: Int32Array.from({ length: places }, (_, place) => hashed(~place)) }
}

/** For rows [n, width] with these keys [n, 1]. */
export const rowMask = ({ rate }: Noise, keys: Tensor, width: number, layer: number, branch: Branch): Tensor =>
  dropoutMask(keys, columnNumbers(keys.graph, [1, width]), saltOf(layer, branch), rate)

/** For attention [batch, heads, queries, places], queries with these keys [batch, queries, 1]. */
export const attentionMask = ({ rate, places }: Noise, keys: Tensor, heads: number, layer: number): Tensor => {
  const [batch, queries] = keys.shape
  const columns = xor(reshape(places, [1, 1, 1, places.shape[0]!]), columnNumbers(keys.graph, [1, heads, 1, 1]))
  return dropoutMask(reshape(keys, [batch!, 1, queries!, 1]), columns, saltOf(layer, 'attention'), rate)
}
