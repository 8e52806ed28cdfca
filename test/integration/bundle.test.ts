/** The trainer's bundle in the hands of a station: judged, tried, refused when a bit of it is another. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBundleModel, setFor } from '#cloud/bundle-model.ts'
import { compareModels } from '#cloud/compare-models.ts'
import { buildTrainingSet } from '#cloud/dataset/build-set.ts'
import type { RawSet } from '#cloud/dataset/raw-set.ts'
import { evaluateSubsets, labelsInAllParts } from '#cloud/evaluation/evaluate.ts'
import { defaultModelConfig } from '#cloud/model/config.ts'
import { buildInferenceGraph } from '#cloud/model/inference-graph.ts'
import { standardSubsets } from '#cloud/model/subset.ts'
import type { TrainingSet } from '#cloud/model/training-set.ts'
import { ensureKeys } from '#cloud/registry/keys.ts'
import { openRegistry } from '#cloud/registry/registry.ts'
import { type TrainedBundle, trainBundle } from '#cloud/train-bundle.ts'
import { createTrial } from '#edge/inference/trial.ts'
import { judgeManifest, judgeRelease } from '#edge/update/judge.ts'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { randomStream } from '#shared/std/random.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { SMALL_TRAINING } from '#test/support/small-training.ts'

/** Two taxa that follow two variables; a picture of noise comes along with half of the observations. */
const rawSet = (seed: number): RawSet => {
  const random = randomStream(seed, 'raw')
  return {
    templates: [
      { kind: 'tabular', name: 'weather', variables: ['t', 'rh'].map((name) => ({ type: 'number', name })) },
      { kind: 'image', name: 'camera', width: 8, height: 8, channels: 1, patch: 4 },
    ],
    labels: ['fox', 'owl'].map((name) => ({ name, taxonId: null })),
    examples: Array.from({ length: 150 }, (_, i) => {
      const [t, rh] = [random.normal(), random.normal()]
      const reading = (modality: string, content: TokenReading['content']): TokenReading => ({
        id: `${modality}${i}` as ReadingId,
        modality,
        content,
        observedAtMs: i,
      })
      const pixels = Uint8Array.from({ length: 64 }, () => random.index(256))
      const picture = reading('camera', { kind: 'image', width: 8, height: 8, channels: 1, pixels })
      return {
        id: `${i}`,
        window: { startMs: 0, endMs: 1000 },
        part: i % 3 === 0 ? ('validation' as const) : ('train' as const),
        readings: [reading('weather', { kind: 'scalars', values: { t, rh } }), ...(i % 2 === 0 ? [picture] : [])],
        labels: Float32Array.of(t > 0 ? 1 : 0, rh > 0.5 ? 1 : 0),
      }
    }),
  }
}

const config = { ...defaultModelConfig(2), width: 16, layers: 1, heads: 2, feedForward: 16, frequencies: 4 }
let folder: string
let raw: RawSet
let set: TrainingSet
let made: TrainedBundle
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'))
  raw = rawSet(1)
  set = buildTrainingSet(raw)
  made = await trainBundle({
    set,
    training: {
      ...SMALL_TRAINING,
      config,
      strategy: { name: 'miam' },
      epochs: 12,
    },
    family: 'valley',
    parent: null,
    createdAtMs: Date.UTC(2026, 4, 14),
    bundleFolder: join(folder, 'bundle'),
    resamples: 50,
  })
})
afterAll(() => rm(folder, { recursive: true }))

const tryOut = (bundleFolder: string, manifest = made.manifest) =>
  createTrial({ log: silentLog() })(
    { manifest, modelFile: join(bundleFolder, 'model.onnx'), vectorsFile: join(bundleFolder, 'vectors.json') },
    new AbortController().signal,
  )

test('what is exported says what was measured, with honest probabilities', () => {
  const { manifest, evaluation, calibrationError, verification } = made
  expect(manifest.scores.map(({ subset }) => subset)).toEqual(['weather', 'camera', 'all'])
  expect(manifest.scores.map(({ value }) => value)).toEqual(evaluation.validation.scores.map(({ value }) => value))
  const [weather, camera] = manifest.scores
  expect(weather!.value).toBeGreaterThan(0.9)
  expect(camera!.low).toBeLessThan(camera!.value)
  expect(manifest.calibration.map(({ group }) => group)).toEqual(['*', 'weather', 'camera', 'weather+camera'])
  expect(calibrationError.after).toBeLessThan(0.15)
  expect(manifest.provenance).toMatchObject({ datasetHash: set.hash, seed: 1, strategy: { name: 'miam', kappa: 10 } })
  expect(manifest.provenance.scoredOn).toBe('validation')
  expect(verification.rows).toBeGreaterThanOrEqual(64)
})

test('a station accepts the signed release and its manifest, and the model passes its trial', async () => {
  const keys = await ensureKeys(join(folder, 'keys'))
  const registry = await openRegistry(join(folder, 'registry'))
  const published = await registry.publish({
    bundleFolder: join(folder, 'bundle'),
    family: 'valley',
    signers: [keys.release],
    createdAtMs: 0,
  })
  const blobOf = async (sha256: string) => readFile((await registry.blob(sha256))!.file)
  const bundle = judgeRelease(published.document, await blobOf(published.document.sha256), {
    trust: keys.trust,
    family: 'valley',
    tenant: null,
    releaseCounter: 1,
    runtimeVersion: '1.30.0',
    memoryBytes: 1 << 30,
  })
  if (!bundle.ok) throw new Error(bundle.error)
  const context = { family: 'valley', tokenizerDigest }
  const manifest = judgeManifest(await blobOf(bundle.value.manifest.sha256), bundle.value, context)
  expect(manifest).toEqual({ ok: true, value: made.manifest })
  expect(await tryOut(join(folder, 'bundle'))).toEqual({ ok: true })
})

test('the same manifest around other weights fails the trial', async () => {
  const other = join(folder, 'other')
  await cp(join(folder, 'bundle'), other, { recursive: true })
  const model = buildInferenceGraph(
    config,
    set.layout,
    made.trained.weights.map((w, i) => (i % 7 === 0 ? w + 0.05 : w)),
  )
  await writeFile(join(other, 'model.onnx'), model)
  const files = { ...made.manifest.files, model: { sha256: sha256Hex(model), length: model.length } }
  expect(await tryOut(other, { ...made.manifest, files })).toMatchObject({ ok: false, reason: /^vectors: case/ })
  await expect(openBundleModel(other)).rejects.toMatchObject({ code: 'bad-bundle' })
})

test('a bundle measured again scores what its manifest says, and draws with itself', async () => {
  await using model = await openBundleModel(join(folder, 'bundle'))
  const own = setFor(model, raw)
  const again = await evaluateSubsets(model.predict, own.validation, standardSubsets(own.layout), {
    evaluated: labelsInAllParts(own),
    seed: 1,
    resamples: 50,
  })
  for (const [i, { value, low, high }] of again.scores.entries()) {
    const stated = made.manifest.scores[i]!
    for (const [found, said] of [
      [value, stated.value],
      [low, stated.low],
      [high, stated.high],
    ]) {
      expect(found).toBeCloseTo(said!, 6)
    }
  }
  const comparison = await compareModels({
    current: model,
    raw,
    candidate: { set, evaluation: made.evaluation.validation, predict: model.predict },
    traffic: [],
    trafficShare: 0,
  })
  expect(comparison).toMatchObject({ subsets: ['weather', 'camera', 'all'], labels: ['fox', 'owl'] })
  expect(comparison!.after).toBeCloseTo(comparison!.before, 6)

  // Other data, with a taxon that the model doesn't know and without one that it does.
  const elsewhere: RawSet = { ...rawSet(2), labels: ['boar', 'fox'].map((name) => ({ name, taxonId: null })) }
  const foreign = setFor(model, elsewhere)
  expect(foreign.labels.map(({ name }) => name)).toEqual(['fox', 'owl'])
  expect([...foreign.validation.labels.subarray(0, 4)]).toEqual([
    elsewhere.examples[0]!.labels[1],
    Number.NaN,
    elsewhere.examples[3]!.labels[1],
    Number.NaN,
  ])
})

test('a stopped run tells its signal, and nothing half-made is left', async () => {
  const stopping = new AbortController()
  const run = trainBundle({
    set,
    training: {
      ...SMALL_TRAINING,
      ...made.trained,
      strategy: { name: 'none' },
      epochs: 100,
    },
    family: 'valley',
    parent: null,
    createdAtMs: 0,
    bundleFolder: join(folder, 'stopped'),
    signal: stopping.signal,
    onProgress: ({ kind }) => kind === 'epoch' && stopping.abort(new Error('enough')),
  })
  await expect(run).rejects.toThrow('enough')
  await expect(readFile(join(folder, 'stopped', 'manifest.json'))).rejects.toMatchObject({ code: 'ENOENT' })
})
