/** A small model with random weights, as files that a station could have downloaded: for tests of what runs models. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inPrecision } from '#cloud/export/smaller.ts'
import { encodeProgram } from '#cloud/graph/onnx-file.ts'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { inferenceProgram } from '#cloud/model/inference-graph.ts'
import { initialWeights, parameterTable } from '#cloud/model/parameters.ts'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { Manifest, ManifestPrecision } from '#shared/bundle/manifest.ts'
import type { Precision } from '#shared/bundle/precision.ts'
import { encodeVectors, type SelfTestCase } from '#shared/bundle/vectors.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { openSession } from '#shared/platform/ort.ts'
import { type Random, randomStream } from '#shared/std/random.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'

const scaled = (name: string) => ({ name, mean: 0, deviation: 1 })

export const EXAMPLE_SPECS: readonly ModalitySpec[] = [
  {
    kind: 'tabular',
    name: 'weather',
    variables: [
      { type: 'number', ...scaled('airTemperatureC') },
      { type: 'number', ...scaled('relativeHumidityPercent') },
      { type: 'category', name: 'sky', categories: [0, 1, 2] },
    ],
  },
  { kind: 'series', name: 'soil', stepMs: 3_600_000, periods: 2, stepsPerPeriod: 4, variables: [scaled('moisture')] },
  { kind: 'embedding', name: 'song', encoder: 'example', size: 6, mean: Array(6).fill(0), deviation: Array(6).fill(1) },
]

/** A third of the tokens hidden on average; hidden features are zero, as tokenizers leave them. */
export const randomTokens = (layout: TokenLayout, random: Random): TokenSet => {
  const hidden = Uint8Array.from(layout.slots, () => (random.uniform() < 1 / 3 ? 1 : 0))
  const features = new Float32Array(layout.featureCount)
  for (const [s, { block, offset }] of layout.slots.entries()) {
    if (hidden[s] !== 0) continue
    for (let i = 0; i < layout.blocks[block]!.features; i++) features[offset + i] = random.normal()
  }
  return { hidden, features }
}

/** Logits by ONNX Runtime in this process, for one observation at a time. */
export const referenceLogits = async (
  model: Uint8Array,
  layout: TokenLayout,
  mode: ModelConfig['mode'],
  rows: readonly TokenSet[],
): Promise<readonly Float32Array[]> => {
  const session = await openSession(model)
  const all: Float32Array[] = []
  for (const row of rows) {
    const { logits } = await session.run(packInferenceBatch(layout, mode, [row]), ['logits'])
    all.push(logits!.data)
  }
  await session.close()
  return all
}

export type ModelBundle = AsyncDisposable & {
  readonly manifest: Manifest
  readonly layout: TokenLayout
  readonly model: Uint8Array
  readonly cases: readonly SelfTestCase[]
  readonly modelFile: string
  readonly vectorsFile: string
}

export type ModelBundleOptions = {
  readonly seed?: number
  readonly specs?: readonly ModalitySpec[]
  readonly config?: Partial<ModelConfig>
  readonly precision?: Precision
  readonly cases?: number
  /** The trainer's vectors are true unless this changes them; likewise the model and the manifest. */
  readonly changeCases?: (cases: readonly SelfTestCase[]) => readonly SelfTestCase[]
  readonly changeModel?: (model: Uint8Array) => Uint8Array
  readonly changeManifest?: (manifest: Manifest) => Manifest
}

export const createModelBundle = async (options: ModelBundleOptions = {}): Promise<ModelBundle> => {
  const { seed = 1, specs = EXAMPLE_SPECS, cases: count = 12 } = options
  const layout = layoutOf(specs)
  const config: ModelConfig = {
    ...defaultModelConfig(3),
    width: 16,
    layers: 2,
    heads: 2,
    feedForward: 32,
    frequencies: 4,
    ...options.config,
  }
  const random = randomStream(seed, 'model-bundle')
  const weights = initialWeights(parameterTable(config, layout), config, layout, random)
  const program = inferenceProgram(config, layout, weights)
  const built = encodeProgram(inPrecision(program, options.precision ?? 'float32'))
  const rows = Array.from({ length: count }, () => randomTokens(layout, random))
  const logits = await referenceLogits(built, layout, config.mode, rows)
  const honest = rows.map((row, i) => ({ name: `case ${i}`, ...row, logits: [...logits[i]!] }))
  const cases = options.changeCases?.(honest) ?? honest
  const model = options.changeModel?.(built) ?? built
  const vectors = encodeVectors(cases)
  const folder = await mkdtemp(join(tmpdir(), 'understory-model-'))
  const [modelFile, vectorsFile] = [join(folder, 'model.onnx'), join(folder, 'vectors.json')]
  await writeFile(modelFile, model)
  await writeFile(vectorsFile, vectors)
  const manifest = {
    ...manifestOf(config, specs, layout, { model, vectors }),
    ...(options.precision === undefined ? {} : { precision: precisionRecord(options.precision, model.length) }),
  }
  return {
    manifest: options.changeManifest?.(manifest) ?? manifest,
    layout,
    model,
    cases,
    modelFile,
    vectorsFile,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

/** The times are made up. */
const precisionRecord = (kind: Precision, bytes: number): ManifestPrecision => ({
  kind,
  bytes,
  millisecondsPerObservation: 1,
  float32Bytes: bytes,
  float32MillisecondsPerObservation: 1,
  tried: [],
  allowedDrop: 0.002,
  conditions: { cpu: 'test', threads: 1, observations: 1, tokens: 1, runtime: 'test' },
})

const manifestOf = (
  config: ModelConfig,
  specs: readonly ModalitySpec[],
  layout: TokenLayout,
  files: { readonly model: Uint8Array; readonly vectors: Uint8Array },
): Manifest => {
  const file = (bytes: Uint8Array) => ({ sha256: sha256Hex(bytes), length: bytes.length })
  const places = config.mode === 'drop' ? 'K' : layout.slots.length
  const place = (name: string, type: string) => ({ name, type, shape: ['B', places] })
  return {
    schema: 'manifest/1',
    family: 'valley',
    parent: null,
    createdAt: '2026-05-14T05:30:00Z',
    modalities: JSON.parse(JSON.stringify(specs)),
    tokenizerDigest: sha256Hex('the tokenizer of the example model'),
    labels: Array.from({ length: config.labels }, (_, i) => ({ name: `label ${i}`, taxonId: null, threshold: 0.5 })),
    graph: {
      mode: config.mode,
      opset: 21,
      irVersion: 10,
      minimumRuntime: '1.24.0',
      inputs: [
        ...layout.blocks.map(({ name, groups, features }, i) => ({
          name: `x.${name}`,
          type: 'float32',
          shape: [groups, `R${i}`, features],
        })),
        place('assemble', 'int32'),
        ...(config.mode === 'drop' ? [place('slot', 'int32'), place('hidden', 'float32')] : []),
      ],
      outputs: [{ name: 'logits', type: 'float32', shape: ['B', config.labels] }],
    },
    scores: [],
    calibration: [
      { group: '*', temperature: 1.5 },
      { group: 'weather', temperature: 2 },
    ],
    provenance: { datasetHash: sha256Hex('data'), strategy: { name: 'miam' }, seed: 1, engine: 'test', host: 'test' },
    files: { model: file(files.model), vectors: file(files.vectors) },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
  }
}
