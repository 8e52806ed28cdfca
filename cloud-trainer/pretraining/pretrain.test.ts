/** Whole runs, small: what they learn, what they may not look at, and that they go on where they were stopped. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import { imbalanceOf } from '../masking/imbalance.ts'
import { defaultModelConfig, type ModelConfig } from '../model/config.ts'
import { initialWeights, reconstructionTable, weightFeeds } from '../model/parameters.ts'
import { packReconstruction, tokenWeights } from '../model/reconstruction-batch.ts'
import { buildReconstructionGraph } from '../model/reconstruction-graph.ts'
import type { TrainingSet } from '../model/training-set.ts'
import type { TrainProgress } from '../training/progress.ts'
import { shareExamples } from '../training/shared-examples.ts'
import { DEFAULT_TRAINING, train } from '../training/train.ts'
import { openGuessers } from './guessers.ts'
import { type PretrainOptions, pretrain } from './pretrain.ts'
import { targetScale } from './target-scale.ts'

const set = exampleTrainingSet({
  modalities: [
    { name: 'weather', tokens: 4, noise: 0.3, missing: 0.1 },
    { name: 'sound', tokens: 3, noise: 0.5, missing: 0.3 },
    { name: 'soil', tokens: 2, noise: 0.2 },
  ],
  labels: 3,
  train: 120,
  validation: 60,
  seed: 8,
})
const { layout } = set

const configOf = (changes: Partial<ModelConfig> = {}): ModelConfig => ({
  ...defaultModelConfig(3),
  width: 16,
  layers: 2,
  heads: 2,
  feedForward: 32,
  frequencies: 8,
  ...changes,
})

const optionsOf = (changes: Partial<PretrainOptions> = {}): PretrainOptions => ({
  ...DEFAULT_TRAINING,
  set,
  config: configOf(),
  strategy: { name: 'miam' },
  seed: 1,
  epochs: 3,
  batchSize: 16,
  warmupSteps: 10,
  workers: 1,
  folder: null,
  ...changes,
})

const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'understory-pretraining-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const comparable = ({ epochs, ...rest }: Awaited<ReturnType<typeof pretrain>>) => ({
  ...rest,
  epochs: epochs.map(({ seconds: _, ...record }) => record),
  seconds: 0,
})

describe.each(['drop', 'replace'] as const)('%s', (mode) => {
  test('threads and parts give the gradient of one run of the graph', async () => {
    const config = configOf({ mode })
    const table = reconstructionTable(config, layout)
    const weights = initialWeights(table, config, layout, randomStream(1, 'init'))
    const random = randomStream(2, 'masks')
    const rows = Int32Array.from({ length: 41 }, (_, i) => 3 + i)
    const sets = Array.from(rows, (row) => set.train.rows[row]!)
    const masks = sets.map(({ hidden }) => hidden.map((x) => (x === 1 || random.uniform() < 0.5 ? 1 : 0)))
    const targets = masks.map((mask, b) => mask.map((x, s) => (x === 1 && sets[b]!.hidden[s] === 0 ? 1 : 0)))
    const counts = layout.modalities.map((_, m) =>
      targets.reduce((sum, own) => sum + own.reduce((n, x, s) => n + (layout.slots[s]!.modality === m ? x : 0), 0), 0),
    )
    const scale = targetScale(layout, set.train.rows)
    const [train, measured] = [shareExamples(layout, 3, set.train), shareExamples(layout, 3, set.validation)]
    await using guessers = openGuessers({ config, layout, train, measured, scale, workers: 2, limitBytes: 60_000 })
    const { loss, gradient } = await guessers.gradient(weights, rows, Uint8Array.from(masks.flatMap((m) => [...m])))
    const session = await openSession(buildReconstructionGraph(config, layout).bytes)
    const outputs = await session.run({
      ...weightFeeds(table, weights),
      ...packReconstruction(config, layout, {
        rows: sets.map(({ features }, b) => ({ features, hidden: masks[b]! })),
        targets,
        scale,
        tokenWeights: tokenWeights(counts),
      }),
    })
    await session.close()
    expect(Math.abs(loss - outputs.loss!.data[0]!)).toBeLessThan(2e-6)
    for (const { name, offset, size } of table.specs) {
      const expected = outputs[`d.${name}`]!.data
      const most = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-3)
      const own = gradient!.subarray(offset, offset + size)
      for (let i = 0; i < size; i++) expect(Math.abs(own[i]! - expected[i]!) / most, name).toBeLessThan(1e-5)
    }
  })
})

test('a run that is stopped goes on to the same bits', () =>
  withFolder(async (folder) => {
    const options = optionsOf({ config: configOf({ dropout: 0.1 }), workers: 2, select: 'best' })
    const straight = await pretrain(options)
    for (const steps of [3, 11]) {
      const stopper = new AbortController()
      let done = 0
      const onProgress = ({ kind }: TrainProgress) => {
        if (kind === 'step' && ++done === steps) stopper.abort(new Error('enough'))
      }
      const stopped = pretrain({ ...options, folder, signal: stopper.signal, onProgress })
      await expect(stopped).rejects.toThrow('enough')
    }
    expect(comparable(await pretrain({ ...options, folder }))).toEqual(comparable(straight))
  }))

test('what the modalities share is learned: errors fall far below that of the mean', async () => {
  const { epochs, weights } = await pretrain(
    optionsOf({ epochs: 25, learningRate: 1e-2, strategy: { name: 'uniform' } }),
  )
  // Weather and soil show the same factors, the noise of the shown and of the asked apart.
  expect(epochs.at(-1)!.all).toBeGreaterThan(0.5)
  expect(epochs.at(-1)!.scores[0]).toBeGreaterThan(0.5)
  expect(epochs.at(-1)!.loss).toBeLessThan(0.8)
  expect(weights.length).toBe(reconstructionTable(configOf(), layout).total)
})

test('the proxy leans the masks from the second epoch on, and the best mean of it is selected', async () => {
  const { epochs, scores, selectedEpoch } = await pretrain(optionsOf({ epochs: 4, select: 'best' }))
  expect(epochs[0]!.masking!.lnW).toEqual([0, 0, 0])
  for (const [t, { masking }] of epochs.entries()) {
    if (t === 0) continue
    const history = { last: epochs[t - 1]!.scores, previous: t > 1 ? epochs[t - 2]!.scores : null }
    expect(masking).toEqual(imbalanceOf(history, { lambdaScore: 1, lambdaSpeed: 1 }, 3))
  }
  expect(scores).toEqual({ last: epochs[3]!.scores, previous: epochs[2]!.scores })
  const best = epochs.toSorted((a, b) => b.selection - a.selection)[0]!
  expect(selectedEpoch).toBe(best.epoch)
  for (const { scores, selection } of epochs) {
    expect(selection).toBeCloseTo(scores.reduce((sum, s) => sum + s) / 3, 12)
  }
})

test('labels are not looked at', async () => {
  const blind = (examples: TrainingSet['train']) => ({
    ...examples,
    labels: new Float32Array(examples.labels.length).fill(Number.NaN),
  })
  const without = { ...set, train: blind(set.train), validation: blind(set.validation) }
  const [blindly, seeing] = [without, set].map((one) => pretrain(optionsOf({ set: one, epochs: 2 })))
  expect(comparable(await blindly!)).toEqual(comparable(await seeing!))
})

test('a step that hides nothing changes nothing', async () => {
  const rare = await pretrain(optionsOf({ strategy: { name: 'dropout', rate: 1e-9 }, epochs: 1 }))
  const table = reconstructionTable(configOf(), layout)
  expect(rare.weights).toEqual(initialWeights(table, configOf(), layout, randomStream(1, 'init')))
  expect(rare.epochs.map(({ loss }) => loss)).toEqual([0])
})

test('a single modality is pre-trained within itself', async () => {
  const one = exampleTrainingSet({
    modalities: [{ name: 'weather', tokens: 6, noise: 0.2 }],
    labels: 2,
    train: 100,
    validation: 40,
    seed: 3,
  })
  const { epochs, selectedEpoch } = await pretrain(
    optionsOf({ set: one, epochs: 12, learningRate: 1e-2, select: 'best', strategy: { name: 'beta-hypercube' } }),
  )
  expect(selectedEpoch).toBe(12)
  expect(epochs.at(-1)!.loss).toBeLessThan(epochs[0]!.loss)
  expect(epochs.at(-1)!.scores).toEqual([1])
})

test('what can’t be pre-trained is refused with its reason', async () => {
  const refused = (changes: Partial<PretrainOptions>) => expect(pretrain(optionsOf(changes))).rejects
  await refused({ strategy: { name: 'none' } }).toThrow('the strategy "none" hides nothing')
  await refused({ strategy: { name: 'constant', rate: 0 } }).toThrow('hides nothing')
  const blank = (examples: TrainingSet['train']) => ({
    ...examples,
    rows: [...examples.rows].map(({ features, hidden }) => ({ features, hidden: hidden.map(() => 1) })),
  })
  await refused({ set: { ...set, validation: blank(set.validation) } }).toThrow('the validation part has no token')
  await refused({ set: { ...set, train: blank(set.train) } }).toThrow('the train part has no token')
})

test('a folder of another kind of run is refused', () =>
  withFolder(async (folder) => {
    await pretrain(optionsOf({ folder, epochs: 1 }))
    await expect(pretrain(optionsOf({ folder, epochs: 1, seed: 2 }))).rejects.toThrow('seed was 1, is 2')
    await expect(train({ ...optionsOf({ folder, epochs: 1 }), startFrom: null })).rejects.toThrow(
      'objective was "reconstruction"',
    )
  }))

test('the scale brings what is there to mean 0 and deviation 1', () => {
  const rows = [
    { features: Float32Array.of(1, 7, 99), hidden: Uint8Array.of(0, 0, 1) },
    { features: Float32Array.of(3, 7, 99), hidden: Uint8Array.of(0, 0, 1) },
    { features: Float32Array.of(99, 7, 99), hidden: Uint8Array.of(1, 0, 1) },
  ]
  const small = {
    modalities: ['a'],
    blocks: [{ name: 'a', encoding: 'periodic', groups: 3, features: 1 }],
    slots: [0, 1, 2].map((i) => ({ name: `a.${i}`, modality: 0, block: 0, group: i, offset: i })),
    featureCount: 3,
  } as const
  // Constant, and never there: deviation 1.
  expect(targetScale(small, rows)).toEqual({ mean: Float32Array.of(2, 7, 0), deviation: Float32Array.of(1, 1, 1) })
})
