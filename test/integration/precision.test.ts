/** Smaller forms of a model, from the trainer to a station: taken where scores hold, refused where they fall. */
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBundleModel } from '#cloud/bundle-model.ts'
import { calibrationLines, precisionLines } from '#cloud/bundle-text.ts'
import { choosePrecision, type Measured } from '#cloud/choose-precision.ts'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import type { RawSet } from '#cloud/dataset/raw-set.ts'
import { evaluateSubsets } from '#cloud/evaluation/evaluate.ts'
import { withBaseRates } from '#cloud/export/base-rates.ts'
import { inPrecision } from '#cloud/export/smaller.ts'
import { encodeProgram } from '#cloud/graph/onnx-file.ts'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { inferenceProgram } from '#cloud/model/inference-graph.ts'
import { parameterTable } from '#cloud/model/parameters.ts'
import { openModelFile, openPredictor, type Predictor } from '#cloud/model/predictor.ts'
import { standardSubsets } from '#cloud/model/subset.ts'
import type { MemorySet } from '#cloud/model/training-set.ts'
import { type TrainedBundle, trainBundle } from '#cloud/train-bundle.ts'
import { weightsFor } from '#cloud/training/label-weights.ts'
import { startInference } from '#edge/inference/inference.ts'
import { createTrial } from '#edge/inference/trial.ts'
import { probabilitiesOf, subsetGroup, temperatureOf } from '#shared/bundle/calibration.ts'
import { type Manifest, manifestSchema } from '#shared/bundle/manifest.ts'
import type { ModelVersion, ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { SMALL_TRAINING } from '#test/support/small-training.ts'

/** Three taxa that follow three of eight variables and the mean of a series. */
const rawSet = (): RawSet => {
  const random = randomStream(1, 'precision')
  const names = Array.from({ length: 8 }, (_, i) => `v${i}`)
  return {
    templates: [
      { kind: 'tabular', name: 'weather', variables: names.map((name) => ({ type: 'number', name })) },
      { kind: 'embedding', name: 'song', encoder: 'example', size: 12 },
    ],
    labels: ['fox', 'owl', 'roe deer'].map((name) => ({ name, taxonId: null })),
    examples: Array.from({ length: 900 }, (_, i) => {
      const values = Object.fromEntries(names.map((name) => [name, random.normal()]))
      const song = Array.from({ length: 12 }, () => random.normal())
      const reading = (modality: string, content: TokenReading['content']): TokenReading => ({
        id: `${modality}${i}` as ReadingId,
        modality,
        content,
        observedAtMs: i,
      })
      const noise = (): number => 0.3 * random.normal()
      return {
        id: `${i}`,
        window: { startMs: 0, endMs: 1000 },
        part: i % 3 === 0 ? ('validation' as const) : i % 3 === 1 ? ('test' as const) : ('train' as const),
        readings: [
          reading('weather', { kind: 'scalars', values }),
          ...(i % 4 === 0 ? [] : [reading('song', { kind: 'embedding', encoder: 'example', vector: song })]),
        ],
        labels: Float32Array.of(
          values.v0! + noise() > 0 ? 1 : 0,
          values.v1! + song[0]! + noise() > 0.5 ? 1 : 0,
          values.v2! + song[1]! + noise() > 1 ? 1 : 0,
        ),
      }
    }),
  }
}

const config: ModelConfig = {
  ...defaultModelConfig(3),
  width: 32,
  layers: 2,
  heads: 4,
  feedForward: 64,
  frequencies: 8,
  activation: 'relu',
}

let folder: string
let set: MemorySet
let made: TrainedBundle

const train = (name: string, precision?: 'int8' | 'fp16' | 'auto'): Promise<TrainedBundle> =>
  trainBundle({
    set,
    training: {
      ...SMALL_TRAINING,
      config,
      strategy: { name: 'miam' },
      epochs: 8,
      folder: join(folder, 'checkpoints'),
    },
    family: 'valley',
    parent: null,
    createdAtMs: 0,
    bundleFolder: join(folder, name),
    resamples: 20,
    precision,
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'precision-'))
  set = buildTrainingSet(rawSet())
  made = await train('int8', 'int8')
})
afterAll(() => rm(folder, { recursive: true }))

const exported = (): Float32Array => withBaseRates(config, set.layout, made.trained.weights, weightsFor(set))

const bundleOf = (name: string, manifest: Manifest) => ({
  manifest,
  modelFile: join(folder, name, 'model.onnx'),
  vectorsFile: join(folder, name, 'vectors.json'),
})

const tryOut = (name: string, manifest: Manifest) =>
  createTrial({ log: silentLog() })(bundleOf(name, manifest), new AbortController().signal)

describe('a bundle in eight bits', () => {
  test('says what it saves, what it loses and how that was measured', async () => {
    const { manifest, evaluation, verification } = made
    const precision = manifest.precision!
    expect(precision.kind).toBe('int8')
    expect(precision.bytes).toBe(manifest.files.model.length)
    expect(precision.bytes).toBeLessThan(precision.float32Bytes / 2)
    expect(precision.tried).toHaveLength(1)
    expect(precision.tried[0]).toMatchObject({ kind: 'int8', bytes: precision.bytes })
    expect(precision.tried[0]!.largestDrop).toBeLessThanOrEqual(0.002)
    expect(precision.conditions).toMatchObject({ threads: 1, observations: 32 })
    // The scores are those of the eight bits, not of the float32 model.
    expect(manifest.scores.map(({ value }) => value)).toEqual(evaluation.test!.scores.map(({ value }) => value))
    const text = readFileSync(join(folder, 'int8', 'manifest.json'), 'utf8')
    expect(manifestSchema.parse(JSON.parse(text))).toEqual(manifest)
    const absolute = Math.max(0.02, 8 * verification.movedByRounding, verification.againstTraining)
    expect(manifest.tolerance).toEqual({ absolute, relative: 0.02 })
    expect(absolute).toBeLessThan(0.3 * Math.max(1, verification.rootMeanSquare))
  })

  test('is measured on the file that is written', async () => {
    await using model = await openBundleModel(join(folder, 'int8'))
    const again = await evaluateSubsets(model.predict, set.test!, standardSubsets(set.layout), {
      seed: 1,
      resamples: 0,
    })
    expect(again.scores.map(({ value }) => value)).toEqual(made.manifest.scores.map(({ value }) => value))
  })

  test('passes the trial of a station, whose answers are those of the cloud, bit for bit', async () => {
    const { manifest } = made
    expect(await tryOut('int8', manifest)).toEqual({ ok: true })
    await using cloud = await openBundleModel(join(folder, 'int8'))
    await using station = await startInference({
      version: 'valley@0123456789ab' as ModelVersion,
      ...bundleOf('int8', manifest),
      log: silentLog(),
    })
    const { rows } = set.test!
    const logits = await cloud.predict(rows)
    const together = await station.predict(rows)
    for (const [r, row] of rows.entries()) {
      const { probabilities, evidence } = together[r]!
      const visible = set.layout.modalities.map((name) => evidence[name]!.visibleTokens)
      const temperature = temperatureOf(manifest.calibration, subsetGroup(set.layout.modalities, visible))
      expect(probabilities).toEqual(probabilitiesOf(logits.subarray(r * 3, r * 3 + 3), temperature))
      // What else is asked for changes nothing.
      if (r % 20 === 0) expect((await station.predict([row]))[0]!.probabilities).toEqual(probabilities)
    }
  })

  test('is refused by a station when its weights are others', async () => {
    await cp(join(folder, 'int8'), join(folder, 'other'), { recursive: true })
    const weights = exported().map((w, i) => (i % 7 === 0 ? w + 0.05 : w))
    const model = encodeProgram(inPrecision(inferenceProgram(config, set.layout, weights), 'int8'))
    await writeFile(join(folder, 'other', 'model.onnx'), model)
    expect(await tryOut('other', made.manifest)).toMatchObject({ ok: false, reason: /^vectors: case/ })
  })
})

test('half precision halves the file, and the same run gives it after a stop', async () => {
  const { manifest } = await train('fp16', 'fp16')
  const precision = manifest.precision!
  expect(precision.kind).toBe('fp16')
  expect(precision.bytes / precision.float32Bytes).toBeLessThan(0.65)
  expect(Math.abs(precision.tried[0]!.largestDrop!)).toBeLessThan(0.002)
  expect(manifest.tolerance).toEqual({ absolute: 1e-4, relative: 1e-4 })
  expect(await tryOut('fp16', manifest)).toEqual({ ok: true })
})

test('without a word about it the bundle is in float32, and nothing is said', async () => {
  const { manifest } = await train('float32')
  expect(manifest.precision).toBeUndefined()
  expect(manifest.files.model.length).toBe(made.manifest.precision!.float32Bytes)
  expect(precisionLines(manifest)).toEqual([])
})

test('calibration errors are those of each group, on the test part', () => {
  const { calibrationErrors } = made.manifest
  expect(calibrationErrors!.measuredOn).toBe('test')
  expect(calibrationErrors!.groups.map(({ group }) => group)).toEqual(['weather', 'song', 'weather+song'])
  for (const { after, chance } of calibrationErrors!.groups) {
    expect(after).toBeGreaterThan(0)
    expect(after).toBeLessThan(0.15)
    expect(chance).toBeLessThan(0.1)
  }
  expect(calibrationLines(made.manifest)[0]).toMatch(
    /^calibration error 0\.0\d\d to 0\.\d{3} in 3 groups \(test part; goal 0\.05\)$/,
  )
})

describe('a smaller form is judged by its scores', () => {
  const measureWith = async ({ predict }: Predictor, evaluated: readonly number[] = [0, 1, 2]): Promise<Measured> => {
    const options = { evaluated, seed: 1, resamples: 0 }
    const of = (part: 'validation' | 'test') =>
      evaluateSubsets(predict, set[part]!, standardSubsets(set.layout), options)
    return { validation: await of('validation'), test: await of('test') }
  }

  const judge = async (
    weights: Float32Array,
    wanted: 'int8' | 'fp16' | 'auto',
    changes: { readonly allowedDrop?: number; readonly evaluated?: readonly number[] } = {},
  ) => {
    const { evaluated, ...rest } = changes
    const measure = (predictor: Predictor): Promise<Measured> => measureWith(predictor, evaluated)
    await using predictor = await openPredictor(config, set.layout, weights, { threads: 1 })
    const measured = await measure(predictor)
    const choice = await choosePrecision({
      wanted,
      set,
      config,
      weights,
      measured,
      measure,
      threads: 1,
      seed: 1,
      ...rest,
    })
    return { ...choice, before: measured }
  }

  /**
   * The same function in float32: a hidden unit of each block counts ten thousand times as much, and what reads it ten
   * thousand times less (ReLU lets a factor through). Eight bits have no step left for the others.
   */
  const withOutlier = (): Float32Array => {
    const weights = exported()
    const { specs } = parameterTable(config, set.layout)
    const at = (name: string): number => specs.find((spec) => spec.name === name)!.offset
    const { width, feedForward } = config
    const factor = 1e4
    for (let layer = 0; layer < config.layers; layer++) {
      const feed = `layer.${layer}.feed`
      for (let i = 0; i < width; i++) weights[at(`${feed}.in.weight`) + i * feedForward]! *= factor
      weights[at(`${feed}.in.bias`)]! *= factor
      for (let o = 0; o < width; o++) weights[at(`${feed}.out.weight`) + o]! /= factor
    }
    return weights
  }

  test('int8 is refused where they fall, with the subset and by how much; auto then takes fp16', async () => {
    const weights = withOutlier()
    const refused = await judge(weights, 'int8')
    expect(refused.precision.kind).toBe('float32')
    expect(refused.precision.bytes).toBe(refused.precision.float32Bytes)
    expect(refused.measured).toBe(refused.before)
    const [tried] = refused.precision.tried
    expect(tried!.largestDrop).toBeGreaterThan(0.002)
    // It is the worst fall of all.
    const model = encodeProgram(inPrecision(inferenceProgram(config, set.layout, weights), 'int8'))
    await using eight = openModelFile(config, set.layout, model, { threads: 1, limitBytes: 0 })
    const after = await measureWith(eight)
    const lost = (['validation', 'test'] as const).flatMap((part) =>
      refused.before[part]!.scores.map(({ subset, value }, i) => ({
        largestDrop: value - after[part]!.scores[i]!.value,
        subset,
        part,
      })),
    )
    expect(tried).toMatchObject(lost.toSorted((a, b) => b.largestDrop - a.largestDrop)[0]!)
    const [line, last] = precisionLines(refused)
    expect(line).toMatch(
      /^int8: \d+ kB instead of \d+ kB, .* not taken: \S+ falls by \d+\.\d\d points on the \w+ part, 0\.20 are allowed$/,
    )
    expect(last).toMatch(/^model\.onnx is float32 \(times: medians of 32 observations alone, \d+ tokens, 1 thread, /)

    const auto = await judge(weights, 'auto')
    expect(auto.precision.tried.map(({ kind }) => kind)).toEqual(['int8', 'fp16'])
    expect(auto.precision.kind).toBe('fp16')
    expect(auto.precision.bytes).toBe(auto.precision.tried[1]!.bytes)
    expect(auto.measured).not.toBe(auto.before)
  })

  test('auto takes int8 where it holds, and no form may lose more than is allowed', async () => {
    const held = await judge(exported(), 'auto')
    expect(held.precision.kind).toBe('int8')
    expect(held.precision.tried).toHaveLength(1)
    expect(precisionLines(held)[0]).toMatch(/^int8: .* \(allowed 0\.20\)$/)
    const strict = await judge(exported(), 'fp16', { allowedDrop: -1 })
    expect(strict.precision.kind).toBe('float32')
  })

  test('a form whose scores may fall, but whose answers are others, is refused with the reason', async () => {
    const { precision, measured, before } = await judge(withOutlier(), 'int8', { allowedDrop: 1 })
    expect(precision.kind).toBe('float32')
    expect(measured).toBe(before)
    expect(precision.tried[0]!.fault).toMatch(/^the exported model is not the trained one: logits differ by up to /)
    expect(precisionLines({ precision })[0]).toMatch(/not taken, though \S+ falls by .* on the \w+ part: the exported/)
    expect((await judge(exported(), 'int8')).precision.tried[0]).not.toHaveProperty('fault')
  })

  test('where nothing can be measured, nothing smaller is taken', async () => {
    const { precision } = await judge(exported(), 'int8', { evaluated: [] })
    expect(precision.kind).toBe('float32')
    expect(precision.tried[0]).toMatchObject({ largestDrop: null, subset: null, part: null })
    expect(precisionLines({ precision })[0]).toContain('nothing could be measured')
  })
})

test('a manifest of old says nothing of precision and calibration errors, and is read as ever', async () => {
  const text = await readFile(join(folder, 'int8', 'manifest.json'), 'utf8')
  const { precision: _, calibrationErrors: __, ...old } = JSON.parse(text)
  expect(manifestSchema.parse(old).precision).toBeUndefined()
})
