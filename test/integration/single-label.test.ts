/** A model of the single-label task, from observations of one class each to the probabilities that a station gives. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BundleModel, openBundleModel } from '#cloud/bundle-model.ts'
import { compareModels } from '#cloud/compare-models.ts'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import type { RawSet } from '#cloud/dataset/raw-set.ts'
import { calibrated } from '#cloud/evaluation/calibrate.ts'
import { top1 } from '#cloud/metrics/top1.ts'
import { defaultModelConfig } from '#cloud/model/config.ts'
import { restrict } from '#cloud/model/subset.ts'
import type { MemorySet } from '#cloud/model/training-set.ts'
import { type TrainedBundle, trainBundle } from '#cloud/train-bundle.ts'
import { startInference } from '#edge/inference/inference.ts'
import type { ModelVersion, ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { SMALL_TRAINING } from '#test/support/small-training.ts'

const CLASSES = ['fen', 'heath', 'wood']

/** Three kinds of place in unequal shares; a table tells them apart well, an embedding badly and not always. */
const rawSet = (): RawSet => {
  const random = randomStream(3, 'places')
  return {
    task: 'single-label',
    templates: [
      { kind: 'tabular', name: 'soil', variables: ['wet', 'sour'].map((name) => ({ type: 'number', name })) },
      { kind: 'embedding', name: 'song', encoder: 'test', size: 3 },
    ],
    labels: CLASSES.map((name) => ({ name, taxonId: null })),
    examples: Array.from({ length: 300 }, (_, i) => {
      const own = [0, 0, 0, 1, 1, 2][random.index(6)]!
      const near = (centre: number, noise: number): number => centre + noise * random.normal()
      const reading = (modality: string, content: TokenReading['content']): TokenReading => ({
        id: `${modality}${i}` as ReadingId,
        modality,
        content,
        observedAtMs: i,
      })
      const values = { wet: near(own === 0 ? 1 : -1, 0.5), sour: near(own === 1 ? 1 : -1, 0.5) }
      const song = {
        kind: 'embedding' as const,
        encoder: 'test',
        vector: [0, 1, 2].map((c) => near(c === own ? 1 : 0, 1)),
      }
      return {
        id: `${i}`,
        window: { startMs: 0, endMs: 1000 },
        part: (['train', 'train', 'train', 'validation', 'test'] as const)[i % 5]!,
        readings: [reading('soil', { kind: 'scalars', values }), ...(i % 3 === 0 ? [] : [reading('song', song)])],
        labels: Float32Array.from(CLASSES, (_name, c) => (c === own ? 1 : 0)),
      }
    }),
  }
}

let folder: string
let set: MemorySet
let made: TrainedBundle
let bundle: BundleModel
const raw = rawSet()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'single-label-'))
  set = buildTrainingSet(raw)
  made = await trainBundle({
    set,
    training: {
      ...SMALL_TRAINING,
      config: {
        ...defaultModelConfig(3),
        ...{ width: 16, layers: 1, heads: 2, feedForward: 16, frequencies: 4 },
        task: 'single-label',
      },
      strategy: { name: 'miam' },
      epochs: 15,
    },
    family: 'valley',
    parent: null,
    createdAtMs: 0,
    bundleFolder: join(folder, 'bundle'),
    resamples: 50,
  })
  bundle = await openBundleModel(join(folder, 'bundle'))
})
afterAll(async () => {
  await bundle[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

test('the manifest says the task, and scores by Top-1 that are above those of always saying "fen"', () => {
  const { manifest, evaluation, calibrationError, verification } = made
  expect(manifest.task).toBe('single-label')
  expect(manifest.scores.map(({ subset, metric }) => [subset, metric])).toEqual([
    ['soil', 'top-1'],
    ['song', 'top-1'],
    ['all', 'top-1'],
  ])
  expect(manifest.scores.map(({ value }) => value)).toEqual(evaluation.test!.scores.map(({ value }) => value))
  const [soil, song, all] = manifest.scores
  expect(soil!.value).toBeGreaterThan(0.8)
  expect(all!.value).toBeGreaterThan(0.8)
  expect(song!.value).toBeLessThan(soil!.value)
  for (const { value, low, high } of manifest.scores) {
    // Sixty observations of the test part.
    expect(value * 60).toBeCloseTo(Math.round(value * 60), 9)
    expect(low).toBeLessThanOrEqual(value)
    expect(high).toBeGreaterThanOrEqual(value)
  }
  expect(calibrationError.after).toBeLessThan(0.15)
  // Nothing is put back into the head: the loss weighs classes as they come.
  expect(verification.againstTraining).toBeLessThan(1e-5)
  expect(manifest.calibration.map(({ group }) => group)).toEqual(['*', 'soil', 'song', 'soil+song'])
})

test('a station gives probabilities that sum to 1, the same as the trainer', async () => {
  const rows = set.test!.rows
  await using model = await startInference({
    version: 'valley@0123456789ab' as ModelVersion,
    manifest: bundle.manifest,
    modelFile: join(folder, 'bundle', 'model.onnx'),
    log: silentLog(),
  })
  const song = { hidden: Uint8Array.from(set.layout.slots, ({ modality }) => (modality === 1 ? 0 : 1)) }
  for (const some of [rows, rows.map((row) => restrict(row, song))]) {
    const answers = await model.predict(some)
    const logits = await bundle.predict(some)
    const expected = calibrated(set.layout, bundle.manifest.calibration, { rows: some, logits }, 'single-label')
    for (const [i, { probabilities }] of answers.entries()) {
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
      for (const [c, p] of probabilities.entries()) expect(p).toBeCloseTo(expected[3 * i + c]!, 6)
    }
    const told = answers.flatMap(({ probabilities }) => probabilities)
    expect(top1(told, set.test!.labels, 3)).toBe(top1(logits, set.test!.labels, 3))
  }
})

test('a model is compared with its successor by Top-1, on the classes that both know', async () => {
  const candidate = { set, evaluation: made.evaluation.validation, predict: bundle.predict }
  const compare = (current: BundleModel) => compareModels({ current, raw, candidate, traffic: [], trafficShare: 0 })
  const same = await compare(bundle)
  expect(same!.labels).toEqual(CLASSES)
  expect(same!.after).toBeCloseTo(same!.before, 12)
  expect(same!.before).toBeCloseTo(made.evaluation.validation.average, 12)

  const older: BundleModel = {
    ...bundle,
    manifest: {
      ...bundle.manifest,
      labels: bundle.manifest.labels.map((it, c) => (c === 2 ? { ...it, name: 'bog' } : it)),
    },
  }
  const partly = await compare(older)
  expect(partly!.labels).toEqual(['fen', 'heath'])
  // Its outputs are in the same order, so the same observations are right.
  expect(partly!.after).toBeCloseTo(partly!.before, 12)

  const { task: _, ...multi } = bundle.manifest
  expect(await compare({ ...bundle, manifest: multi })).toBeNull()
})
