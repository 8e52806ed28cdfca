/**
 * Predicts what waits: pulls observations whose present revision has no prediction, newest windows first, tokenizes
 * them for the running model, and stores the answers. Nothing queues in memory.
 */
import type { Prediction } from '#shared/domain/prediction.ts'
import type { Log } from '#shared/platform/log.ts'
import type { Clock } from '#shared/std/clock.ts'
import { type PullLoop, startPullLoop } from '#shared/streams/pull-loop.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import { InferenceError, type InferenceModel } from './inference/inference.ts'
import type { ModelHost } from './model-host.ts'
import type { Pipeline, WithContents } from './pipeline.ts'

export type PredictingOptions = {
  readonly pipeline: Pick<Pipeline, 'waiting' | 'predict' | 'setAside' | 'count'>
  readonly host: Pick<ModelHost, 'current' | 'served' | 'failed'>
  readonly batch: number
  readonly onPredicted: (predictions: readonly Prediction[]) => void
  readonly clock: Clock
  readonly log: Log
}

type Batch = readonly WithContents[]

const tokensFor =
  ({ manifest, layout }: InferenceModel) =>
  ({ contents, window }: Pick<WithContents, 'contents' | 'window'>) =>
    tokenize(manifest.modalities, layout, contents, window)

/** Failures of an observation alone in its batch, after which it is set aside; a signal or the memory may cost one. */
const FAILURES_TO_SET_ASIDE = 2

export const startPredicting = (options: PredictingOptions): PullLoop => {
  const { pipeline, host, batch: largest, onPredicted, clock, log } = options
  /** Halved by each failure, so that one observation that breaks the model is found and set aside. */
  let batchSize = largest
  let suspect = { key: '', failures: 0 }

  const blame = (batch: Batch, reason: string): void => {
    const [alone] = batch
    batchSize = Math.max(1, batch.length >> 1)
    if (alone === undefined || batch.length > 1) return
    const key = `${alone.id} ${alone.revision}`
    suspect = { key, failures: suspect.key === key ? suspect.failures + 1 : 1 }
    if (suspect.failures < FAILURES_TO_SET_ASIDE) return
    pipeline.setAside(alone)
    pipeline.count('observations-set-aside', 1)
    log.error({ observation: alone.id, revision: alone.revision, reason }, 'set aside: the model fails on it')
  }

  const answer = async (model: InferenceModel, batch: Batch) => {
    try {
      return await model.predict(batch.map(tokensFor(model)))
    } catch (cause) {
      if (!(cause instanceof InferenceError) || cause.code === 'busy') throw cause
      if (cause.code !== 'closed') {
        blame(batch, cause.message)
        host.failed(model, `${cause.code}: ${cause.message}`, cause.code !== 'output')
      }
      return null
    }
  }

  const work = async (): Promise<boolean> => {
    const model = host.current()
    if (model === null) return false
    const batch = pipeline.waiting(batchSize)
    if (batch.length === 0) return false
    const answers = await answer(model, batch)
    if (answers === null) return true
    const labels = model.manifest.labels.map(({ name }) => name)
    const made = pipeline.predict(
      { version: model.version, labels },
      answers.map((it, i) => ({ of: batch[i]!, ...it })),
      clock.nowMs(),
    )
    batchSize = Math.min(largest, batchSize * 2)
    host.served(model, answers.length)
    onPredicted(made)
    return true
  }

  return startPullLoop({ work, onFailure: (cause) => log.error({ cause: String(cause) }, 'predicting failed') })
}

/** As many answers as confirm a model on trial. */
const REHEARSED = 3

/**
 * A model that has just been loaded answers for the last observations again, and for nothing where there are none, so
 * that its trial doesn't wait for sensors. Nothing of it is kept. Throws InferenceError; gives the number of answers.
 */
export const rehearse = async (model: InferenceModel, pipeline: Pick<Pipeline, 'newest'>): Promise<number> => {
  const nothing = { contents: [], window: { startMs: 0, endMs: 1 } }
  const last = pipeline.newest(REHEARSED)
  const pieces = Array.from({ length: REHEARSED }, (_, i) => last[i] ?? nothing)
  const answers = await model.predict(pieces.map(tokensFor(model)))
  return answers.length
}
