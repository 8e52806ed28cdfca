/**
 * A hash of uint32, the same numbers in JavaScript and in a graph: `lowbias32` (Wellons 2018, "Prospecting for Hash
 * Functions"), two rounds of xor-shift and multiply. What is drawn by it depends on what is hashed and on nothing else,
 * so it can be drawn again: after a resume, on another number of threads. The runtime's own random operators keep a
 * state in their session.
 */
import { multiply, shiftRight, xor } from './calls.ts'
import type { Tensor } from './graph.ts'

const FIRST = 0x7feb352d
const SECOND = 0x846ca68b

/** A permutation of the whole numbers from 0 to 2³² − 1; takes any other whole number modulo 2³². */
export const hashed = (x: number): number => {
  let h = x >>> 0
  h = Math.imul(h ^ (h >>> 16), FIRST)
  h = Math.imul(h ^ (h >>> 15), SECOND)
  return (h ^ (h >>> 16)) >>> 0
}

/** The same without the last xor-shift, which leaves the upper half as it is: whoever compares looks there. */
export const hashedBits = (x: Tensor): Tensor => {
  const first = multiply(xor(x, shiftRight(x, 16)), FIRST)
  return multiply(xor(first, shiftRight(first, 15)), SECOND)
}
