import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { expectVariance, range } from '#test/support/draws.ts'
import { openStrategy } from './strategy.ts'
import { drawTokenMasks } from './token-mask.ts'

const none = (rows: number, slots: number): readonly Uint8Array[] =>
  Array.from({ length: rows }, () => new Uint8Array(slots))

test('a token is hidden with the probability of its modality, never at 0 and always at 1', () => {
  const modalityOf = Uint16Array.of(0, 0, 1, 1, 2)
  const rows = 4_000
  const hidden = drawTokenMasks(
    range(rows).map(() => [0, 0.3, 1]),
    modalityOf,
    none(rows, 5),
    randomStream(1, 'tokens').uniform,
  )
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
    drawTokenMasks(
      gone.map(() => [0.5, 0.5]),
      modalityOf,
      gone,
      randomStream(4, 'tokens').uniform,
    )
  const free = draw(none(2, 3))
  const bound = draw(missing)
  const gone = missing.flatMap((row) => [...row])
  expect([...bound]).toEqual([...free].map((hidden, i) => hidden | gone[i]!))
})

test('the hidden share of a modality varies between batches as p does: by 0.417, where p by observation gives 0.037', () => {
  // Balanced at κ = 10: Var(p) = 0.174242 and E[p(1 − p)] = 0.25 − 0.174242.
  const [batch, tokens, batches] = [128, 48, 1_000]
  const [ofP, within] = [0.174242, 0.25 - 0.174242]
  expect(Math.sqrt(ofP + within / (batch * tokens))).toBeCloseTo(0.417, 3)
  expect(Math.sqrt((ofP + within / tokens) / batch)).toBeCloseTo(0.037, 3)
  const strategy = openStrategy({ name: 'miam' }, [tokens, 3, 2])
  const random = randomStream(9, 'batches')
  const shares = range(batches).map(() => {
    const hidden = drawTokenMasks(
      strategy.drawFor(batch, random),
      new Uint16Array(tokens),
      none(batch, tokens),
      random.uniform,
    )
    return hidden.reduce((sum, h) => sum + h, 0) / (batch * tokens)
  })
  expectVariance(shares, 1 / 2, ofP + within / (batch * tokens))
})
