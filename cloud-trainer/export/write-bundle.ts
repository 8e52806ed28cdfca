/**
 * Makes a model's bundle: `model.onnx`, `vectors.json` and `manifest.json` in a folder that appears when it is whole.
 * The model is compared with the training graph first; one that differs is never written.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { type Manifest, type ManifestPrecision, manifestSchema } from '#shared/bundle/manifest.ts'
import type { Precision } from '#shared/bundle/precision.ts'
import { MAX_OBJECT_BYTES } from '#shared/bundle/release.ts'
import { decodeVectors, encodeVectors } from '#shared/bundle/vectors.ts'
import { taskOf } from '#shared/domain/task.ts'
import { syncFolder } from '#shared/platform/atomic-file.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import { encodeProgram, IR_VERSION, OPSET } from '../graph/onnx-file.ts'
import type { Program } from '../graph/program.ts'
import type { ModelConfig } from '../model/config.ts'
import { inferenceProgram } from '../model/inference-graph.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { ExportError } from './export-error.ts'
import { selfTestsOf } from './self-test-rows.ts'
import { inPrecision } from './smaller.ts'
import { EIGHT_BIT_MARGIN, type Verification, verifyExport } from './verify.ts'

export type BundleOptions = {
  /** Replaced as a whole when it exists. */
  readonly folder: string
  /** Self-test vectors are made from its validation part. */
  readonly set: Pick<TrainingSet, 'task' | 'specs' | 'layout' | 'labels' | 'validation' | 'hash'>
  readonly config: ModelConfig
  /** x of the optimizer, with base rates put back. */
  readonly weights: Float32Array
  readonly family: string
  /** Version of the model that this one was trained from or replaces; null for the first. */
  readonly parent: string | null
  readonly createdAtMs: number
  readonly scores: Manifest['scores']
  /** Part of the data that they were measured on. */
  readonly scoredOn: 'validation' | 'test'
  readonly calibration: Manifest['calibration']
  readonly calibrationErrors?: NonNullable<Manifest['calibrationErrors']>
  /** What the model is written in, with what was measured of it; float32, and nothing to say, when absent. */
  readonly precision?: ManifestPrecision
  /** [labels], 0 to 1. */
  readonly thresholds: readonly number[]
  readonly strategy: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly signal?: AbortSignal
}

/** The first runtime with opset 21 and IR 10, by its table of versions; whether one really runs a model, its self-test says. */
const MINIMUM_RUNTIME = '1.18.0'

/** Stations run other processors than the trainer: wider than the export's own limit. */
const TOLERANCE = { absolute: 1e-4, relative: 1e-4 }
/** What eight bits are allowed at least, and relative to the logit besides. */
const EIGHT_BIT_FLOOR = 0.02

/**
 * The few dozen rows that were rounded otherwise may have met no edge between two steps, where another processor's would.
 * What such a change sets off differs from the answers here about as these do from the unrounded ones, which was found
 * good enough.
 */
const toleranceFor = (
  precision: Precision,
  { movedByRounding, againstTraining }: Verification,
): Manifest['tolerance'] =>
  precision === 'int8'
    ? {
        absolute: Math.max(EIGHT_BIT_FLOOR, EIGHT_BIT_MARGIN * movedByRounding, againstTraining),
        relative: EIGHT_BIT_FLOOR,
      }
    : TOLERANCE

const ENGINE = `understory graph, opset ${OPSET}`

export const writeBundle = async (
  options: BundleOptions,
): Promise<{ readonly manifest: Manifest; readonly verification: Verification }> => {
  const { set, config, weights, signal } = options
  const { layout } = set
  const precision = options.precision?.kind ?? 'float32'
  const program = inferenceProgram(config, layout, weights)
  const whole = encodeProgram(program)
  const model = precision === 'float32' ? whole : encodeProgram(inPrecision(program, precision))
  const cases = selfTestsOf(set, options.seed)
  const rows = cases.map(({ row }) => row)
  // In float32 first, whose limit is strict: a smaller form's wide one would let a wrong graph pass.
  const exact = await verifyExport({ model: whole, config, layout, weights, rows })
  signal?.throwIfAborted()
  const smaller =
    precision === 'float32' ? null : await verifyExport({ model, config, layout, weights, rows }, precision)
  signal?.throwIfAborted()
  // A smaller form proves on stations that it computes there what it computed here.
  const logits = smaller?.exported ?? exact.trained
  const { verification } = smaller ?? exact
  const vectors = encodeVectors(
    cases.map(({ name, row }, i) => ({
      name,
      ...row,
      logits: Array.from(logits.subarray(i * config.labels, (i + 1) * config.labels)),
    })),
  )
  const readable = decodeVectors(vectors)
  if (!readable.ok) throw new ExportError('too-large', `vectors.json: ${readable.error}`)
  const tolerance = toleranceFor(precision, verification)
  const manifest = manifestOf(options, { graph: graphOf(config, program), tolerance, files: { model, vectors } })
  await writeFolder(options.folder, {
    'model.onnx': model,
    'vectors.json': vectors,
    'manifest.json': Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`),
  })
  return { manifest, verification }
}

const BUNDLE_FILES: readonly string[] = ['model.onnx', 'vectors.json', 'manifest.json']

/** Something in the folder that is no part of a bundle and would be lost with it, or null. */
export const foreignEntry = async (folder: string): Promise<string | null> => {
  try {
    return (await readdir(folder)).find((name) => !BUNDLE_FILES.includes(name)) ?? null
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

const manifestOf = (
  options: BundleOptions,
  {
    graph,
    tolerance,
    files,
  }: Pick<Manifest, 'graph' | 'tolerance'> & {
    readonly files: { readonly model: Uint8Array; readonly vectors: Uint8Array }
  },
): Manifest => {
  const { set, thresholds } = options
  // Parsed like any other: what we write, stations must be able to read.
  return manifestSchema.parse({
    schema: 'manifest/1',
    family: options.family,
    parent: options.parent,
    createdAt: new Date(options.createdAtMs).toISOString(),
    task: taskOf(set),
    modalities: set.specs,
    tokenizerDigest: tokenizerDigest(set.specs),
    labels: set.labels.map(({ name, taxonId }, i) => ({ name, taxonId, threshold: thresholds[i] })),
    graph,
    scores: options.scores,
    calibration: options.calibration,
    calibrationErrors: options.calibrationErrors,
    precision: options.precision,
    provenance: {
      datasetHash: set.hash,
      strategy: options.strategy,
      seed: options.seed,
      engine: ENGINE,
      // The kind of host, not its name: releases are read by strangers.
      host: `${process.platform}-${process.arch}, Node ${process.versions.node}`,
      scoredOn: options.scoredOn,
    },
    files: { model: fileOf('model.onnx', files.model), vectors: fileOf('vectors.json', files.vectors) },
    tolerance,
  } satisfies Record<keyof Manifest, unknown>)
}

const fileOf = (name: string, bytes: Uint8Array) => {
  if (bytes.length > MAX_OBJECT_BYTES) {
    throw new ExportError('too-large', `${name} has ${bytes.length} bytes; stations take ${MAX_OBJECT_BYTES}`)
  }
  return { sha256: sha256Hex(bytes), length: bytes.length }
}

const graphOf = ({ mode }: ModelConfig, { inputs, outputs }: Program): Manifest['graph'] => {
  const describe = (name: string, { type, shape }: Program['inputs'][number]) => ({ name, type, shape: [...shape] })
  return {
    mode,
    opset: OPSET,
    irVersion: IR_VERSION,
    minimumRuntime: MINIMUM_RUNTIME,
    inputs: inputs.map((input) => describe(input.name, input)),
    outputs: [...outputs].map(([name, output]) => describe(name, output)),
  }
}

/** All files durable in a folder beside, then one rename. What a crash leaves beside, the next call clears away. */
const writeFolder = async (folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> => {
  const [part, old] = [`${folder}.part`, `${folder}.old`]
  const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true })
  await remove(part)
  await mkdir(part, { recursive: true })
  for (const [name, bytes] of Object.entries(files)) {
    await using handle = await open(join(part, name), 'w', 0o644)
    await handle.writeFile(bytes)
    await handle.sync()
  }
  await syncFolder(part)
  await remove(old)
  await moveAside(folder, old)
  await rename(part, folder)
  await syncFolder(dirname(folder))
  await remove(old)
}

const moveAside = async (folder: string, aside: string): Promise<void> => {
  try {
    await rename(folder, aside)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return
    throw cause
  }
}
