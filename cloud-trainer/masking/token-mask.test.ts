import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { drawHypercube } from './hypercube.ts'
import { drawTokenMasks } from './token-mask.ts'

/** κ and corners as in the paper, of modalities of several tokens. */
const BALANCED = { kappa: 10, cornerMass: 1 / 4, singleToken: false }

const none = (rows: number, slots: number): readonly Uint8Array[] =>
  Array.from({ length: rows }, () => new Uint8Array(slots))

test('a token is hidden with the probability of its modality, never at 0 and always at 1', () => {
  const modalityOf = Uint16Array.of(0, 0, 1, 1, 2)
  const rows = 4_000
  const hidden = drawTokenMasks([0, 0.3, 1], modalityOf, none(rows, 5), randomStream(1, 'tokens').uniform)
  const share = (slot: number): number => hidden.filter((_, i) => i % 5 === slot).reduce((sum, h) => sum + h, 0) / rows
  expect([share(0), share(1), share(4)]).toEqual([0, 0, 1])
  for (const slot of [2, 3]) expect(Math.abs(share(slot) - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / rows))
  const both = Array.from({ length: rows }, (_, r) => hidden[5 * r + 2]! & hidden[5 * r + 3]!)
  const together = both.reduce((sum, h) => sum + h, 0) / rows
  expect(Math.abs(together - 0.09)).toBeLessThan(5 * Math.sqrt((0.09 * 0.91) / rows))
})

test('what is missing is hidden whatever is drawn, and does not move the draws of others', () => {
  const modalityOf = Uint16Array.of(0, 1, 1)
  const missing = [Uint8Array.of(1, 0, 0), Uint8Array.of(0, 1, 1)]
  const draw = (gone: readonly Uint8Array[]) =>
    drawTokenMasks([0.5, 0.5], modalityOf, gone, randomStream(4, 'tokens').uniform)
  const free = draw(none(2, 3))
  const bound = draw(missing)
  const gone = missing.flatMap((row) => [...row])
  expect([...bound]).toEqual([...free].map((hidden, i) => hidden | gone[i]!))
})

test('the hidden share of a modality varies between batches as p does, not as single tokens do', () => {
  // Balanced at κ = 10: Var(p) = 0.174242 and E[p(1 − p)] = 0.25 − 0.174242.
  const [batch, tokens, batches] = [32, 12, 4_000]
  const modalityOf = new Uint16Array(tokens)
  const { uniform } = randomStream(9, 'batches')
  const shares = Array.from({ length: batches }, () => {
    const p = drawHypercube([0, 0, 0], BALANCED, uniform)
    return drawTokenMasks(p, modalityOf, none(batch, tokens), uniform).reduce((sum, h) => sum + h, 0) / (batch * tokens)
  })
  const expected = 0.174242 + (0.25 - 0.174242) / (batch * tokens)
  const mean = shares.reduce((sum, x) => sum + x, 0) / batches
  const variance = shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / batches
  const fourth = shares.reduce((sum, x) => sum + (x - mean) ** 4, 0) / batches
  expect(Math.abs(variance - expected)).toBeLessThan(5 * Math.sqrt((fourth - variance ** 2) / batches))
})

test('closed forms of whole modalities: P(all hidden) and P(only the third is visible)', () => {
  // GeoPlant's counts of tokens; the draws decide all tokens of one observation.
  const tokens = [48, 202, 100]
  const modalityOf = Uint16Array.from(tokens.flatMap((count, m) => new Array<number>(count).fill(m)))
  const { uniform } = randomStream(21, 'geoplant')
  const draws = 12_000
  const wholly = [0, 0, 0]
  let onlyThird = 0
  for (let i = 0; i < draws; i++) {
    const p = drawHypercube([0, 0, 0], BALANCED, uniform)
    const hidden = drawTokenMasks(p, modalityOf, none(1, modalityOf.length), uniform)
    const isWhole = tokens.map(
      (count, m) => hidden.reduce((sum, h, s) => sum + (modalityOf[s] === m ? h : 0), 0) === count,
    )
    for (const [m, whole] of isWhole.entries()) if (whole) wholly[m]!++
    if (isWhole[0] && isWhole[1] && !isWhole[2]) onlyThird++
  }
  for (const [m, probability] of [0.086207, 0.023585, 0.045455].entries()) {
    const error = Math.sqrt((probability * (1 - probability)) / draws)
    expect(Math.abs(wholly[m]! / draws - probability)).toBeLessThan(5 * error)
  }
  expect(Math.abs(onlyThird / draws - 2.526e-3)).toBeLessThan(5 * Math.sqrt(2.526e-3 / draws))
})
