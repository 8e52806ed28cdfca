/** Whether an exported model is the model that was trained, found out before anything is signed. */
import { mostRowsPerRun, type Precision } from '#shared/bundle/precision.ts'
import { openThread } from '#shared/platform/thread.ts'
import { ExportError } from './export-error.ts'
import type { VerifyAnswer, VerifyTask } from './verify-protocol.ts'

export type Verification = {
  readonly rows: number
  /** Of the training graph's logits. */
  readonly rootMeanSquare: number
  /** Largest difference between a logit of the exported and of the training graph. */
  readonly againstTraining: number
  /** Largest difference between a row alone and within a batch. */
  readonly aloneAgainstBatch: number
  /** Logits that changed when hidden inputs did; none may. */
  readonly movedByHidden: number
  /** Largest change of a logit when inputs change by a few units in their last place. */
  readonly movedByRounding: number
}

/**
 * From the training graph, at a root mean square of 1 or less; grows with it, as rounding does. Those of smaller forms
 * only catch a graph that is wrong: whether what they lose matters, their scores say.
 */
const MOST_DIFFERENCE: Readonly<Record<Precision, number>> = { float32: 1e-5, fp16: 1e-2, int8: 0.3 }
/**
 * Where float32 rounds otherwise by a unit, eight bits may round otherwise by one of 255 steps. How far that moves a logit
 * is measured (`movedByRounding`); stations allow this many times it, but never more than the limit above: a self-test that
 * lets everything pass would be none.
 */
export const EIGHT_BIT_MARGIN = 8
/** Of a row alone from the same in a batch, in the same way. */
const MOST_APART = 1e-5
/** Rows of a batch differ in length, so most of them are padded. */
const BATCH = 16

/**
 * Compares the file with the training graph in a worker thread. Throws an ExportError 'verification' with the numbers
 * when they disagree, 'runtime' when one of the graphs can't be run. `trained` and `exported`: logits [rows × labels].
 */
export const verifyExport = async (
  task: Omit<VerifyTask, 'batchRows'>,
  precision: Precision = 'float32',
): Promise<{
  readonly verification: Verification
  readonly trained: Float32Array
  readonly exported: Float32Array
}> => {
  const answer = await askWorker({ ...task, batchRows: mostRowsPerRun(precision, BATCH) })
  const verification = compare(answer, task.config.labels)
  const scale = Math.max(1, verification.rootMeanSquare)
  const limit = MOST_DIFFERENCE[precision] * scale
  const mostByRounding = precision === 'int8' ? limit / EIGHT_BIT_MARGIN : Number.POSITIVE_INFINITY
  // Written so that NaN fails.
  const holds =
    verification.againstTraining <= limit &&
    verification.aloneAgainstBatch <= MOST_APART * scale &&
    verification.movedByHidden === 0 &&
    verification.movedByRounding <= mostByRounding
  if (!holds) {
    throw new ExportError(
      'verification',
      `the exported model is not the trained one: logits differ by up to ${verification.againstTraining} from the ` +
        `training graph's (limit ${limit}) and by ${verification.aloneAgainstBatch} between a row alone and in a batch ` +
        `(limit ${MOST_APART * scale}), and ${verification.movedByHidden} changed with hidden inputs` +
        (precision === 'int8'
          ? `; rounding moves them by up to ${verification.movedByRounding} (limit ${mostByRounding})`
          : ''),
    )
  }
  return { verification, trained: answer.trained, exported: answer.alone }
}

const askWorker = async (task: VerifyTask): Promise<VerifyAnswer> => {
  const worker = openThread<VerifyTask, VerifyAnswer>(new URL('./verify-worker.ts', import.meta.url), null)
  try {
    return await worker.ask(task)
  } catch (cause) {
    throw new ExportError('runtime', 'the exported model could not be run', { cause })
  } finally {
    await worker.close()
  }
}

const compare = ({ trained, exported, alone, disturbed, nudged }: VerifyAnswer, labels: number): Verification => ({
  rows: trained.length / labels,
  rootMeanSquare: Math.sqrt(trained.reduce((sum, z) => sum + z * z, 0) / trained.length),
  againstTraining: largestDifference(exported, trained),
  aloneAgainstBatch: largestDifference(alone, exported),
  movedByHidden: exported.filter((z, i) => !Object.is(z, disturbed[i])).length,
  movedByRounding: largestDifference(nudged, alone),
})

/** NaN when one of them is none. */
const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, z, i) => Math.max(largest, Math.abs(z - b[i]!)), 0)
