/**
 * Dropout (Srivastava et al. 2014) whose masks are a hash of numbers that are fed: equal keys give equal masks, and
 * different ones independent ones. A mask is 0 where a number is dropped and 1 / (1 − rate) where it is kept, so that
 * means stay as they are.
 */
import { less, scalar, where, xor } from '../calls.ts'
import { addConstant, type Graph, type Tensor } from '../graph.ts'
import { hashed, hashedBits } from '../hash.ts'

/** Column i's own number: those of near columns are far apart. */
const columnOf = (i: number): number => Math.imul(i + 1, 0x9e3779b9) >>> 0

/** The numbers of so many columns, in the given shape. */
export const columnNumbers = (graph: Graph, shape: readonly number[]): Tensor => {
  const count = shape.reduce((n, size) => n * size, 1)
  return addConstant(
    graph,
    'uint32',
    shape,
    Float64Array.from({ length: count }, (_, i) => columnOf(i)),
  )
}

/**
 * keys, columns: uint32 of shapes that broadcast to that of the mask. Each key is well mixed and names its row in this
 * step; `salt` names the use within the model, rate is from 0 to below 1.
 */
export const dropoutMask = (keys: Tensor, columns: Tensor, salt: number, rate: number): Tensor => {
  const { graph } = keys
  const rows = hashedBits(xor(keys, hashed(salt)))
  const isKept = less(hashedBits(xor(rows, columns)), Math.round((1 - rate) * 2 ** 32))
  return where(isKept, scalar(graph, 1 / (1 - rate)), scalar(graph, 0))
}
