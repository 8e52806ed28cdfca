/** Whole runs, small: what they learn, that they repeat, and that they go on where they were stopped. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { defaultModelConfig, type ModelConfig } from '../model/config.ts'
import type { TrainingSet } from '../model/training-set.ts'
import type { TrainProgress } from './progress.ts'
import { DEFAULT_TRAINING, type TrainOptions, train } from './train.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 4, noise: 0.4, missing: 0.1 },
    { name: 'sound', tokens: 3, noise: 1, missing: 0.3 },
  ],
  labels: 3,
  train: 60,
  validation: 60,
  seed: 8,
})

const configOf = (labels: number, changes: Partial<ModelConfig> = {}): ModelConfig => ({
  ...defaultModelConfig(labels),
  width: 16,
  layers: 2,
  heads: 2,
  feedForward: 32,
  frequencies: 8,
  ...changes,
})

const optionsOf = (changes: Partial<TrainOptions> = {}): TrainOptions => ({
  ...DEFAULT_TRAINING,
  set,
  config: configOf(set.labels.length),
  strategy: { name: 'miam' },
  seed: 1,
  epochs: 4,
  batchSize: 16,
  warmupSteps: 10,
  workers: 1,
  folder: null,
  startFrom: null,
  ...changes,
})

/** Runs in a folder of its own, which is gone afterwards. */
const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'understory-training-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Trains, aborted after so many steps; expects the abort. */
const stopAfter = async (steps: number, options: TrainOptions): Promise<void> => {
  const stopper = new AbortController()
  let done = 0
  const onProgress = ({ kind }: TrainProgress) => {
    if (kind === 'step' && ++done === steps) stopper.abort(new Error('enough'))
  }
  await expect(train({ ...options, signal: stopper.signal, onProgress })).rejects.toThrow('enough')
  expect(done).toBe(steps)
}

test('32 observations are memorized', async () => {
  const small = exampleTrainingSet({
    modalities: [{ name: 'weather', tokens: 4, noise: 1 }],
    labels: 2,
    train: 32,
    validation: 32,
    seed: 2,
  })
  const config = configOf(2, { width: 32, feedForward: 64 })
  const { epochs } = await train(
    optionsOf({ set: small, config, strategy: { name: 'none' }, epochs: 130, learningRate: 1e-2, weightDecay: 0 }),
  )
  expect(epochs.at(-1)!.loss).toBeLessThan(0.01)
})

test('equal seeds give equal bits', async () => {
  const [first, second, other] = [
    await train(optionsOf()),
    await train(optionsOf()),
    await train(optionsOf({ seed: 2 })),
  ]
  expect(first.weights).toEqual(second.weights)
  expect(first.epochs.map(({ scores, all, loss }) => [scores, all, loss])).toEqual(
    second.epochs.map(({ scores, all, loss }) => [scores, all, loss]),
  )
  expect(first.weights).not.toEqual(other.weights)
})

test('what a strategy draws does not disturb the order or the first weights', async () => {
  const nothing = await train(optionsOf({ strategy: { name: 'none' } }))
  const never = await train(optionsOf({ strategy: { name: 'dropout', rate: 0 } }))
  expect(never.weights).toEqual(nothing.weights)
})

test('an epoch is recorded with scores of every modality and what leaned its masks', async () => {
  const seen: TrainProgress[] = []
  const trained = await train(optionsOf({ onProgress: (progress) => seen.push(progress) }))
  expect(seen[0]).toMatchObject({ kind: 'started', batchSize: 15, stepsPerEpoch: 4, epochs: 4, unlearnable: [] })
  expect(seen.filter(({ kind }) => kind === 'step').length).toBe(16)
  const records = seen.flatMap((progress) => (progress.kind === 'epoch' ? [progress.record] : []))
  expect(trained.epochs).toEqual(records)
  expect(records.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4])
  for (const { scores, all, selection } of records) {
    expect(scores.length).toBe(2)
    expect(selection).toBeCloseTo((scores[0]! + scores[1]! + all) / 3, 12)
  }
  const [first, second, third] = records.map(({ masking }) => masking!)
  expect(first!.lnW).toEqual([0, 0])
  expect(second!.speedRatio).toEqual([1, 1])
  expect(second!.lnW[0]).toBeCloseTo(Math.log(records[0]!.scores[0]! / records[0]!.scores[1]!) / 2, 10)
  expect(third!.speedRatio).not.toEqual([1, 1])
  expect(trained).toMatchObject({ selectedEpoch: 4, strategy: { name: 'miam', kappa: 10 }, notes: [] })
  expect(seen.at(-1)).toMatchObject({ kind: 'epoch', etaMs: 0 })
})

test.each(['drop', 'replace'] as const)('%s: stopped at any step, a run goes on to the same bits', async (mode) => {
  const config = configOf(3, { mode })
  const whole = await train(optionsOf({ config, workers: 2 }))
  const random = randomStream(20261124, mode)
  await withFolder(async (folder) => {
    const options = optionsOf({ config, folder, workers: 2 })
    let left = 15
    while (left > 0) {
      const steps = Math.min(left, 2 + random.index(7))
      await stopAfter(steps, options)
      left -= steps
    }
    const resumed: TrainProgress[] = []
    const trained = await train({ ...options, onProgress: (progress) => resumed.push(progress) })
    expect(resumed[1]).toEqual({ kind: 'resumed', epoch: 4, step: 3, notes: [] })
    expect(trained.weights).toEqual(whole.weights)
    expect(trained.epochs.map(({ loss, scores }) => [loss, scores])).toEqual(
      whole.epochs.map(({ loss, scores }) => [loss, scores]),
    )
    expect((await readdir(folder)).length).toBe(2)
    // What is finished is not done again.
    const again: TrainProgress[] = []
    expect((await train({ ...options, onProgress: (progress) => again.push(progress) })).weights).toEqual(whole.weights)
    expect(again.map(({ kind }) => kind)).toEqual(['started', 'resumed'])
  })
})

test('with dropout: learned, the same bits when stopped and gone on, and another run without', async () => {
  const config = configOf(3, { dropout: 0.1 })
  const whole = await train(optionsOf({ config, epochs: 3 }))
  expect(whole.weights).not.toEqual((await train(optionsOf({ epochs: 3 }))).weights)
  expect(whole.epochs[2]!.loss).toBeLessThan(whole.epochs[0]!.loss)
  await withFolder(async (folder) => {
    const options = optionsOf({ config, folder, epochs: 3 })
    // In the middle of an epoch, and of the next: its masks follow the step of the run.
    await stopAfter(3, options)
    await stopAfter(4, options)
    expect((await train(options)).weights).toEqual(whole.weights)
    await expect(train(optionsOf({ folder }))).rejects.toMatchObject({
      code: 'other-checkpoint',
      message: expect.stringContaining('model.dropout was 0.1, is undefined'),
    })
  })
})

test('taught by its answers to the whole input, a run goes on to the same bits', async () => {
  const distillation = { share: 0.5, after: 2 }
  const whole = await train(optionsOf({ distillation }))
  const untaught = await train(optionsOf())
  const losses = ({ epochs }: typeof whole) => epochs.map(({ loss }) => loss)
  expect(losses(whole).slice(0, 2)).toEqual(losses(untaught).slice(0, 2))
  expect(losses(whole)[2]).not.toBe(losses(untaught)[2])
  await withFolder(async (folder) => {
    const options = optionsOf({ folder, distillation })
    // In the middle of the first taught epoch, at its end, and in the middle of the next.
    for (const steps of [10, 2, 2]) await stopAfter(steps, options)
    expect((await train(options)).weights).toEqual(whole.weights)
    await expect(train(optionsOf({ folder }))).rejects.toMatchObject({
      code: 'other-checkpoint',
      message: expect.stringContaining('distillation was {"share":0.5,"after":2}, is undefined'),
    })
  })
})

test('a longer run continues a shorter one', () =>
  withFolder(async (folder) => {
    await train(optionsOf({ folder, epochs: 2 }))
    const longer = await train(optionsOf({ folder, epochs: 3 }))
    expect(longer.weights).toEqual((await train(optionsOf({ epochs: 3 }))).weights)
  }))

test('a checkpoint of another run is refused, naming what differs; another number of threads is noted', () =>
  withFolder(async (folder) => {
    await train(optionsOf({ folder, epochs: 1 }))
    const refused = async (changes: Partial<TrainOptions>, what: string): Promise<void> => {
      const attempt = train(optionsOf({ folder, ...changes }))
      await expect(attempt).rejects.toMatchObject({ code: 'other-checkpoint', message: expect.stringMatching(what) })
    }
    await refused({ seed: 5 }, 'seed was 1, is 5')
    await refused({ strategy: { name: 'uniform' } }, 'strategy.name was "miam", is "uniform"')
    await refused({ config: configOf(3, { feedForward: 16 }) }, 'model.feedForward was 32, is 16$')
    await refused({ scoreSample: 20 }, 'scoreSample was undefined, is 20')
    await refused({ set: { ...set, hash: 'other' as TrainingSet['hash'] } }, 'set was')
    const onward = await train(optionsOf({ folder, epochs: 2, workers: 2 }))
    expect(onward.notes).toEqual(['workers was 1, is 2'])
  }))

test('scores can be taken from a sample: masks that no score leans stay the same', async () => {
  const uniform = optionsOf({ strategy: { name: 'uniform' }, epochs: 1 })
  const [whole, sampled] = [await train(uniform), await train({ ...uniform, scoreSample: 20 })]
  expect(sampled.weights).toEqual(whole.weights)
  expect(sampled.epochs[0]!.scores).not.toEqual(whole.epochs[0]!.scores)
  expect(Math.abs(sampled.epochs[0]!.all - whole.epochs[0]!.all)).toBeLessThan(0.25)
})

test('a run that is scored on a sample keeps to it when it is stopped and gone on with', async () => {
  const whole = await train(optionsOf({ scoreSample: 20 }))
  await withFolder(async (folder) => {
    const options = optionsOf({ scoreSample: 20, folder })
    for (const steps of [3, 5]) await stopAfter(steps, options)
    const trained = await train(options)
    expect(trained.weights).toEqual(whole.weights)
    expect(trained.epochs.map(({ scores, all }) => [scores, all])).toEqual(
      whole.epochs.map(({ scores, all }) => [scores, all]),
    )
  })
})

test('the best epoch can be returned, and patience ends a run', async () => {
  // So high a rate that scores get worse at times.
  const options = optionsOf({ strategy: { name: 'none' }, learningRate: 0.3, epochs: 40, patience: 3, select: 'best' })
  const best = await train(options)
  const selections = best.epochs.map(({ selection }) => selection)
  expect(best.selectedEpoch).toBe(selections.indexOf(Math.max(...selections)) + 1)
  expect(best.epochs.length).toBe(best.selectedEpoch + 3)
  const straight = await train({ ...options, epochs: best.selectedEpoch, patience: null, select: 'last' })
  expect(best.weights).toEqual(straight.weights)
})

test('a run can start from the weights of another', async () => {
  const first = await train(optionsOf())
  const second = await train(optionsOf({ startFrom: first.weights, epochs: 0 }))
  expect(second.weights).toEqual(first.weights)
  const onward = await train(optionsOf({ startFrom: first.weights, epochs: 1, seed: 3 }))
  const cold = await train(optionsOf({ epochs: 1, seed: 3 }))
  expect(onward.epochs[0]!.loss).toBeLessThan(cold.epochs[0]!.loss)
})

test('sets that teach or measure nothing are refused; labels that lack a class are reported', async () => {
  const withLabels = (part: 'train' | 'validation', label: (i: number) => number): TrainingSet => ({
    ...set,
    [part]: { ...set[part], labels: set[part].labels.map((value, i) => (Number.isNaN(label(i)) ? value : label(i))) },
  })
  const nothing = train(optionsOf({ set: withLabels('train', () => 0) }))
  await expect(nothing).rejects.toMatchObject({ code: 'unusable-set', message: expect.stringContaining('training') })
  const unmeasured = train(optionsOf({ set: withLabels('validation', () => 1) }))
  await expect(unmeasured).rejects.toMatchObject({
    code: 'unusable-set',
    message: expect.stringContaining('validation'),
  })
  const partly = await train(optionsOf({ set: withLabels('train', (i) => (i % 3 === 1 ? 1 : Number.NaN)), epochs: 1 }))
  expect(partly.unlearnable).toEqual(['species 1'])
})

describe('the single-label task', () => {
  const classes = exampleTrainingSet({
    task: 'single-label',
    modalities: [
      { name: 'weather', tokens: 4, noise: 0.3 },
      { name: 'sound', tokens: 4, noise: 1, missing: 0.3 },
    ],
    labels: 4,
    train: 240,
    validation: 200,
    seed: 11,
  })
  const single = (changes: Partial<TrainOptions> = {}) =>
    optionsOf({ set: classes, config: configOf(4, { task: 'single-label', width: 32 }), ...changes })

  test('is learned: Top-1 far above chance with everything, and less with the noisier modality', async () => {
    const { epochs, unlearnable } = await train(single({ epochs: 25, batchSize: 32, learningRate: 1e-2 }))
    const [weather, sound] = epochs.at(-1)!.scores
    // Chance is a quarter, and a step of a Top-1 over 200 observations is 0.005.
    expect(epochs.at(-1)!.all).toBeGreaterThan(0.7)
    expect(weather).toBeGreaterThan(0.65)
    expect(sound).toBeGreaterThan(0.35)
    expect(sound).toBeLessThan(weather!)
    for (const { scores, all } of epochs)
      for (const s of [...scores, all]) expect(s * 200).toBeCloseTo(Math.round(s * 200), 9)
    expect(epochs[0]!.loss).toBeLessThan(1.5 * Math.log(4))
    expect(epochs.at(-1)!.loss).toBeLessThan(epochs[0]!.loss)
    expect(unlearnable).toEqual([])
  })

  test('stopped and gone on, gives the same bits', () =>
    withFolder(async (folder) => {
      const options = single({ folder, workers: 2, epochs: 2 })
      const whole = await train({ ...options, folder: null })
      await stopAfter(5, options)
      expect((await train(options)).weights).toEqual(whole.weights)
    }))

  test('taught by its own answers, is learned as well', async () => {
    const taught = single({ epochs: 25, batchSize: 32, learningRate: 1e-2, distillation: { share: 0.5, after: 3 } })
    expect((await train(taught)).epochs.at(-1)!.all).toBeGreaterThan(0.7)
  })

  test('refuses observations of two classes, one class only, and a model of the other task', async () => {
    const changed = (part: 'train' | 'validation', label: (y: number, i: number) => number): TrainingSet => ({
      ...classes,
      [part]: { ...classes[part], labels: classes[part].labels.map(label) },
    })
    const refused = async (set: TrainingSet, message: string) =>
      expect(train(single({ set }))).rejects.toMatchObject({
        code: 'unusable-set',
        message: expect.stringContaining(message),
      })
    await refused(
      changed('validation', (y, i) => (i < 8 ? 1 : y)),
      'observation validation-0 of the validation part has 4 classes',
    )
    await refused(
      changed('train', (_, i) => (i % 4 === 2 ? 1 : 0)),
      'fewer than two classes',
    )
    await refused(
      changed('validation', () => Number.NaN),
      'validation part',
    )
    await expect(train(single({ config: configOf(4) }))).rejects.toThrow('the task of the set')
    const unseen = changed('train', (y, i) => (i % 4 === 3 ? 0 : y))
    expect((await train(single({ set: unseen, epochs: 1 }))).unlearnable).toEqual(['species 3'])
  })
})

test('a gradient that is not finite ends the run before its step, naming the tensors', async () => {
  const rows = set.train.rows.map(({ hidden }, i) => ({
    hidden: hidden.map(() => 0),
    features: new Float32Array(set.layout.featureCount).fill(i === 0 ? Number.POSITIVE_INFINITY : 1),
  }))
  const broken = { ...set, train: { ...set.train, rows } }
  await expect(train(optionsOf({ set: broken, strategy: { name: 'none' } }))).rejects.toMatchObject({
    code: 'not-finite',
    message: expect.stringContaining('embed.weather.weight'),
  })
})
