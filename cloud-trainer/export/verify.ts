/** Whether an exported model is the model that was trained, found out before anything is signed. */
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
}

/** At a root mean square of 1 or less; grows with it, as float32 rounding does. */
const MOST_DIFFERENCE = 1e-5

/**
 * Compares the file with the training graph in a worker thread. Throws an ExportError 'verification' with the numbers
 * when they disagree, 'runtime' when one of the graphs can't be run.
 */
export const verifyExport = async (
  task: VerifyTask,
): Promise<{ readonly verification: Verification; readonly logits: Float32Array }> => {
  const answer = await askWorker(task)
  const verification = compare(answer, task.config.labels)
  const limit = MOST_DIFFERENCE * Math.max(1, verification.rootMeanSquare)
  // Written so that NaN fails.
  const holds =
    verification.againstTraining <= limit && verification.aloneAgainstBatch <= limit && verification.movedByHidden === 0
  if (!holds) {
    throw new ExportError(
      'verification',
      `the exported model is not the trained one: logits differ by up to ${verification.againstTraining} from the ` +
        `training graph's and by ${verification.aloneAgainstBatch} between a row alone and in a batch (limit ${limit}), ` +
        `and ${verification.movedByHidden} changed with hidden inputs`,
    )
  }
  return { verification, logits: answer.trained }
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

const compare = ({ trained, exported, alone, disturbed }: VerifyAnswer, labels: number): Verification => ({
  rows: trained.length / labels,
  rootMeanSquare: Math.sqrt(trained.reduce((sum, z) => sum + z * z, 0) / trained.length),
  againstTraining: largestDifference(exported, trained),
  aloneAgainstBatch: largestDifference(alone, exported),
  movedByHidden: exported.filter((z, i) => !Object.is(z, disturbed[i])).length,
})

/** NaN when one of them is none. */
const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, z, i) => Math.max(largest, Math.abs(z - b[i]!)), 0)
