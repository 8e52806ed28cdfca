/** One cell of the map with one strategy and one seed: data are made, a small model trained, every subset measured. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import { readFolder } from '#cloud/dataset/read-folder.ts'
import { evaluateSubsets, type SubsetScore } from '#cloud/evaluation/evaluate.ts'
import { subsetsToMeasure } from '#cloud/evaluation/subsets.ts'
import type { StrategyOptions } from '#cloud/masking/strategy.ts'
import { defaultModelConfig } from '#cloud/model/config.ts'
import { openPredictor } from '#cloud/model/predictor.ts'
import type { Subset } from '#cloud/model/subset.ts'
import type { Examples, TrainingSet } from '#cloud/model/training-set.ts'
import { DEFAULT_TRAINING, train } from '#cloud/training/train.ts'
import type { Dials } from './dials.ts'
import { folderOf } from './folder.ts'
import { makeSet } from './make.ts'

/** Small, so that a run takes seconds; the same for every cell and strategy. */
const MODEL = { width: 16, layers: 1, heads: 2, feedForward: 32 }
const TRAINING = { ...DEFAULT_TRAINING, epochs: 12, batchSize: 64, warmupSteps: 50, learningRate: 5e-3 }

export type MeasuredScore = Pick<SubsetScore, 'subset' | 'group' | 'value'>

export type MeasuredRun = {
  /** Macro AUC, 0 to 1. */
  readonly validation: readonly MeasuredScore[]
  readonly test: readonly MeasuredScore[]
  readonly seconds: number
}

/** As the trainer reads it from a folder, which is gone when this ends. */
export const madeTrainingSet = async (dials: Dials, seed: number): Promise<TrainingSet> => {
  const folder = await mkdtemp(join(tmpdir(), 'imbalance-'))
  try {
    await writeFolder(folder, dials, seed)
    return buildTrainingSet(await readFolder(folder))
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const writeFolder = async (folder: string, dials: Dials, seed: number): Promise<void> => {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(folderOf(makeSet(dials, seed)))) await writeFile(join(folder, name), text)
}

/** Half of each modality's tokens, of all and of the first alone: what a mask of whole modalities never shows. */
const partialInputs = ({ modalities, slots }: TrainingSet['layout']) => {
  const halves = modalities.map((_, m) => {
    const own = slots.filter(({ modality }) => modality === m).map(({ name }) => name)
    return own.slice(0, Math.ceil(own.length / 2))
  })
  if (halves.flat().length === slots.length) return []
  return [
    { name: 'half of each', slots: halves.flat() },
    { name: `half of ${modalities[0]!}`, slots: halves[0]! },
  ]
}

export const runOnce = async (set: TrainingSet, strategy: StrategyOptions, seed: number): Promise<MeasuredRun> => {
  const startedMs = performance.now()
  const { layout } = set
  const config = { ...defaultModelConfig(set.labels.length), ...MODEL }
  const { weights } = await train({
    ...TRAINING,
    set,
    config,
    strategy,
    seed,
    workers: 1,
    folder: null,
    startFrom: null,
  })
  const subsets = subsetsToMeasure(layout, partialInputs(layout))
  await using predictor = await openPredictor(config, layout, weights, { threads: 1 })
  const look = (examples: Examples) => scoresOf(predictor.predict, examples, subsets)
  const validation = await look(set.validation)
  const test = await look(set.test!)
  return { validation, test, seconds: (performance.now() - startedMs) / 1000 }
}

const scoresOf = async (
  predict: (rows: Examples['rows']) => Promise<Float32Array>,
  examples: Examples,
  subsets: readonly Subset[],
): Promise<readonly MeasuredScore[]> => {
  const { scores } = await evaluateSubsets(predict, examples, subsets, { seed: 0, resamples: 0 })
  return scores.map(({ subset, group, value }) => ({ subset, group, value }))
}
