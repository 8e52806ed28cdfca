/** Whether a model is exported in a smaller form: only if it scores as well, on every subset that is measured. */
import type { ManifestPrecision } from '#shared/bundle/manifest.ts'
import { mostRowsPerRun, type Precision } from '#shared/bundle/precision.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import type { Evaluation } from './evaluation/evaluate.ts'
import { largestDrop } from './evaluation/score-drop.ts'
import { ExportError } from './export/export-error.ts'
import { selfTestsOf } from './export/self-test-rows.ts'
import { inPrecision } from './export/smaller.ts'
import { measureSpeed } from './export/speed.ts'
import { verifyExport } from './export/verify.ts'
import { encodeProgram } from './graph/onnx-file.ts'
import type { ModelConfig } from './model/config.ts'
import { inferenceProgram } from './model/inference-graph.ts'
import { openModelFile, type Predictor } from './model/predictor.ts'
import { inMemory, type TokenRows } from './model/token-rows.ts'
import type { TrainingSet } from './model/training-set.ts'

/** `auto`: the smallest form that holds. */
export type WantedPrecision = Precision | 'auto'

/** Score points (0 to 1) that a smaller form may lose on a subset: the 0.2 points of macro AUC that the project decided on. */
const ALLOWED_DROP = 0.002

/** Observations that times are taken with. */
const TIMED = 32

export type Measured = { readonly validation: Evaluation; readonly test: Evaluation | null }

type ChooseOptions = {
  readonly wanted: Exclude<WantedPrecision, 'float32'>
  readonly set: Pick<TrainingSet, 'layout' | 'validation'>
  readonly config: ModelConfig
  /** As they are exported. */
  readonly weights: Float32Array
  /** Of the model in float32. */
  readonly measured: Measured
  readonly measure: (predictor: Predictor) => Promise<Measured>
  readonly threads: number
  /** Of the self-tests. */
  readonly seed: number
  readonly allowedDrop?: number
}

type Choice = {
  /** Of the form that was chosen. */
  readonly measured: Measured
  readonly precision: ManifestPrecision
}

type Tried = ManifestPrecision['tried'][number]
type Fall = Pick<Tried, 'largestDrop' | 'subset' | 'part'>
type Fault = Pick<Tried, 'fault'>

/** From the smallest on. */
const candidatesFor = (wanted: ChooseOptions['wanted']): readonly Precision[] =>
  wanted === 'auto' ? ['int8', 'fp16'] : [wanted]

/** Takes the first candidate whose scores and self-tests hold, else float32. What was tried is in the record either way. */
export const choosePrecision = async (options: ChooseOptions): Promise<Choice> => {
  const { set, config, weights, allowedDrop = ALLOWED_DROP } = options
  const program = inferenceProgram(config, set.layout, weights)
  const modelOf = (kind: Precision): Uint8Array => encodeProgram(inPrecision(program, kind))
  const tried: Candidate[] = []
  for (const kind of candidatesFor(options.wanted)) {
    const candidate = await tryOut(kind, modelOf(kind), options)
    tried.push(candidate)
    if (candidate.holds) break
  }
  const taken = tried.find(({ holds }) => holds)
  const float32 = modelOf('float32')
  const { milliseconds, conditions } = await measureSpeed([float32, ...tried.map(({ model }) => model)], {
    mode: config.mode,
    layout: set.layout,
    rows: firstRows(set.validation.rows),
  })
  const sizes = tried.map(({ kind, model, fall, fault }, i) => ({
    kind,
    bytes: model.length,
    millisecondsPerObservation: milliseconds[i + 1]!,
    ...fall,
    ...fault,
  }))
  const own = taken === undefined ? null : sizes[tried.indexOf(taken)]!
  return {
    measured: taken?.measured ?? options.measured,
    precision: {
      kind: own?.kind ?? 'float32',
      bytes: own?.bytes ?? float32.length,
      millisecondsPerObservation: own?.millisecondsPerObservation ?? milliseconds[0]!,
      float32Bytes: float32.length,
      float32MillisecondsPerObservation: milliseconds[0]!,
      tried: sizes,
      allowedDrop,
      conditions,
    },
  }
}

type Candidate = {
  readonly kind: Precision
  readonly model: Uint8Array
  readonly measured: Measured
  readonly fall: Fall
  /** Empty where there is none. */
  readonly fault: Fault
  readonly holds: boolean
}

const tryOut = async (kind: Precision, model: Uint8Array, options: ChooseOptions): Promise<Candidate> => {
  const { set, config, measured: before, measure, threads, allowedDrop = ALLOWED_DROP } = options
  // No room for a second observation in a run: they would change one another's answers.
  const alone = mostRowsPerRun(kind, Number.POSITIVE_INFINITY) === 1 ? { limitBytes: 0 } : {}
  await using predictor = openModelFile(config, set.layout, model, { threads, ...alone })
  const measured = await measure(predictor)
  const fall = fallOf(before, measured)
  const scoresHold = fall.largestDrop !== null && fall.largestDrop <= allowedDrop
  const fault = scoresHold ? await faultOf(kind, model, options) : {}
  return { kind, model, measured, fall, fault, holds: scoresHold && fault.fault === undefined }
}

/** What would keep it from being exported: scores may hold where single answers don't. */
const faultOf = async (
  kind: Precision,
  model: Uint8Array,
  { set, config, weights, seed }: ChooseOptions,
): Promise<Fault> => {
  const rows = selfTestsOf(set, seed).map(({ row }) => row)
  try {
    await verifyExport({ model, config, layout: set.layout, weights, rows }, kind)
    return {}
  } catch (cause) {
    if (cause instanceof ExportError && cause.code === 'verification') return { fault: cause.message }
    throw cause
  }
}

/** The worst of both parts: a form that holds for one by chance may fall on the other. */
const fallOf = (before: Measured, after: Measured): Fall => {
  const validation = largestDrop(before.validation.scores, after.validation.scores)
  const test = before.test && after.test && largestDrop(before.test.scores, after.test.scores)
  const isTest = test !== null && (validation === null || test.drop >= validation.drop)
  const worst = isTest ? test : validation
  if (worst === null) return { largestDrop: null, subset: null, part: null }
  return { largestDrop: worst.drop, subset: worst.subset, part: isTest ? 'test' : 'validation' }
}

const firstRows = (rows: TokenRows): readonly TokenSet[] =>
  Array.from({ length: Math.min(TIMED, rows.length) }, (_, i) => inMemory(rows.at(i)!))
