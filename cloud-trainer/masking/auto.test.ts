import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { chooseStrategy } from './auto.ts'
import { openStrategy } from './strategy.ts'

test.each([
  [[4], { name: 'uniform' }],
  [[1, 1], { name: 'miam', kappa: 10, lambdaScore: 1, lambdaSpeed: 1 }],
  [[48, 202, 100], { name: 'miam', kappa: 10, lambdaScore: 1, lambdaSpeed: 1 }],
])('of modalities of %j tokens it is %j, with a reason, and draws as that one does', (tokens, expected) => {
  const { strategy, reason } = chooseStrategy(tokens)
  const [auto, chosen] = [openStrategy({ name: 'auto' }, tokens), openStrategy(strategy, tokens)]
  expect(auto.parameters).toEqual({ ...chosen.parameters, chosenBy: 'auto', because: reason })
  expect(auto.parameters).toMatchObject(expected)
  const scores = tokens.map((_, m) => 0.9 - 0.1 * m)
  for (const one of [auto, chosen]) for (let epoch = 0; epoch < 2; epoch++) one.scored(scores)
  expect(auto.draw(randomStream(1, 'draws'))).toEqual(chosen.draw(randomStream(1, 'draws')))
  // What it remembers is the chosen one's, so a run goes on with it.
  expect(openStrategy({ name: 'auto' }, tokens, auto.state()).imbalance()).toEqual(chosen.imbalance())
})
