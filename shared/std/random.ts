/**
 * Seeded random numbers, whose state can be stored and restored (checkpoints resume bit for bit).
 * Generator: sfc32 of the PractRand suite (C. Doty-Humphrey), seeded through splitmix32.
 */

/** Uniform numbers on the open interval (0, 1). */
export type Uniform = () => number

export type RandomState = readonly [number, number, number, number]

export type Random = {
  /** Uniform on the open interval (0, 1), with 32 random bits. */
  readonly uniform: Uniform
  /** Standard normal variate (Box–Muller; two uniforms each, so the state stays simple). */
  readonly normal: () => number
  /** Integer in [0, n). */
  readonly index: (n: number) => number
  /** Fisher–Yates, in place; returns its argument. */
  readonly shuffle: <T extends { length: number; [i: number]: unknown }>(items: T) => T
  readonly state: () => RandomState
}

const splitmix32 = (seed: number) => {
  let a = seed | 0
  return () => {
    a = (a + 0x9e3779b9) | 0
    let t = a ^ (a >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t ^= t >>> 15
    t = Math.imul(t, 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }
}

/** FNV-1a over UTF-16 units: turns a stream's name into a seed. */
const hashName = (name: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  return h >>> 0
}

export const randomFromState = (state: RandomState): Random => {
  let [a, b, c, counter] = state
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  const uniform = () => (next() + 0.5) / 4294967296
  const index = (n: number) => Math.floor(uniform() * n)
  return {
    uniform,
    index,
    normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = index(i + 1)
        const kept = items[i]
        items[i] = items[j]
        items[j] = kept
      }
      return items
    },
    state: () => [a, b, c, counter],
  }
}

/**
 * One named stream of a seed. Streams of different names are independent, so a change of one
 * consumer (say, the masking strategy) doesn't reshuffle another (say, the order of the data).
 */
export const randomStream = (seed: number, name: string): Random => {
  const mix = splitmix32((seed | 0) ^ hashName(name))
  const random = randomFromState([mix() | 0, mix() | 0, mix() | 0, 1])
  for (let i = 0; i < 12; i++) random.uniform()
  return random
}
