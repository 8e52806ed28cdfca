/** Checkpoints across versions of the program. */
import { expect, test } from 'vitest'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import type { StrategyOptions } from '../masking/strategy.ts'
import { defaultModelConfig } from '../model/config.ts'
import { firstWeights, planOf } from './plan.ts'
import { fromCheckpoint, startRun, toCheckpoint } from './run.ts'
import { DEFAULT_TRAINING, type TrainOptions } from './train.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 2, noise: 1 },
    { name: 'sound', tokens: 2, noise: 1 },
  ],
  labels: 2,
  train: 16,
  validation: 16,
  seed: 1,
})

const optionsOf = (strategy: StrategyOptions): TrainOptions => ({
  ...DEFAULT_TRAINING,
  set,
  config: { ...defaultModelConfig(2), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 4 },
  strategy,
  seed: 1,
  workers: 1,
  folder: null,
  startFrom: null,
})

const checkpointOf = (strategy: StrategyOptions, change: (header: { settings: { strategy: object } }) => void) => {
  const options = optionsOf(strategy)
  const plan = planOf(options)
  const run = startRun(plan, firstWeights(options, plan))
  run.strategy.scored([0.8, 0.6])
  run.strategy.scored([0.7, 0.65])
  const { header, arrays } = toCheckpoint(plan, run)
  const read = JSON.parse(JSON.stringify(header))
  change(read)
  return { run, checkpoint: { generation: 1, header: read, arrays } }
}

const asBefore = ({ settings }: { settings: { strategy: object } }): void => {
  settings.strategy = { name: 'miam', kappa: 10, lambdaScore: 1, lambdaSpeed: 1 }
}

test('a checkpoint of before the corner mass and the smoothing could be chosen goes on as it was', () => {
  const { run, checkpoint } = checkpointOf({ name: 'miam' }, asBefore)
  const resumed = fromCheckpoint(planOf(optionsOf({ name: 'miam' })), checkpoint)
  expect(resumed.strategy.imbalance()).toEqual(run.strategy.imbalance())
  expect(resumed.strategy.draw(resumed.streams.masks)).toEqual(run.strategy.draw(run.streams.masks))
})

test('and is of another run when one of them is', () => {
  const { checkpoint } = checkpointOf({ name: 'miam' }, asBefore)
  const attempt = (strategy: StrategyOptions) => () => fromCheckpoint(planOf(optionsOf(strategy)), checkpoint)
  expect(attempt({ name: 'miam', cornerMass: 0.2 })).toThrow('strategy.cornerMass was 0.25, is 0.2')
  expect(attempt({ name: 'miam', smoothing: 0.5 })).toThrow('strategy.smoothing was 0, is 0.5')
  expect(attempt({ name: 'beta-hypercube' })).toThrow('strategy.name was "miam", is "beta-hypercube"')
})

test('a checkpoint of a chosen strategy goes on whatever the reason was', () => {
  const { run, checkpoint } = checkpointOf({ name: 'auto' }, ({ settings }) => {
    settings.strategy = { ...settings.strategy, because: 'an older version said so' }
  })
  const resumed = fromCheckpoint(planOf(optionsOf({ name: 'auto' })), checkpoint)
  expect(resumed.strategy.imbalance()).toEqual(run.strategy.imbalance())
  expect(() => fromCheckpoint(planOf(optionsOf({ name: 'miam' })), checkpoint)).toThrow('strategy.chosenBy was "auto"')
})

test.each<StrategyOptions>([
  { name: 'miam', smoothing: 0.5, cornerMass: 0.1 },
  { name: 'beta-hypercube', kappa: 4 },
  { name: 'uniform-hypercube' },
  { name: 'uniform' },
  { name: 'constant', rate: 0.4 },
  { name: 'dirichlet', alpha: 0.5 },
  { name: 'dropout' },
  { name: 'opm', lambda: 0.25 },
  { name: 'none' },
])('$name goes on through a checkpoint with the same draws', (strategy) => {
  const { run, checkpoint } = checkpointOf(strategy, () => {})
  const resumed = fromCheckpoint(planOf(optionsOf(strategy)), checkpoint)
  const draws = ({ strategy: law, streams }: typeof run) => Array.from({ length: 8 }, () => law.draw(streams.masks))
  expect(draws(resumed)).toEqual(draws(run))
  for (const scores of [
    [0.75, 0.5],
    [0.9, 0.4],
  ]) {
    resumed.strategy.scored(scores)
    run.strategy.scored(scores)
  }
  expect(draws(resumed)).toEqual(draws(run))
})

test('a Dirichlet law of one modality is refused with what to do', () => {
  const one = exampleTrainingSet({
    modalities: [{ name: 'weather', tokens: 2, noise: 1 }],
    labels: 2,
    train: 16,
    validation: 16,
    seed: 1,
  })
  expect(() => planOf({ ...optionsOf({ name: 'dirichlet' }), set: one })).toThrow(
    expect.objectContaining({ code: 'unusable-set', message: expect.stringContaining('dirichlet') }),
  )
})
