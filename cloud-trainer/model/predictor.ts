/** A trained model that answers from token sets, in worker threads of its own. */
import { availableParallelism } from 'node:os'
import { openThread } from '#shared/platform/thread.ts'
import { assert } from '#shared/std/assert.ts'
import { packInferenceBatch, type TensorFeed } from '#shared/tokens/batch.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from './config.ts'
import { placesOf, planInference, scatterRows } from './inference-batches.ts'
import { buildInferenceGraph } from './inference-graph.ts'
import type { TokenRows } from './token-rows.ts'

export type Predictor = AsyncDisposable & {
  /**
   * Logits [rows × labels], row-major, in the order of the rows. Calls may overlap.
   * Throws when a thread fails.
   */
  readonly predict: (rows: TokenRows) => Promise<Float32Array>
}

export type PredictorOptions = {
  /** Worker threads; all cores when absent. */
  readonly threads?: number
  /** Memory of the intermediate values of one run, in each thread. With 0 each observation runs alone. */
  readonly limitBytes?: number
}

export type PredictorRequest = Readonly<Record<string, TensorFeed>>

/** `weights`: the flat array of `parameterTable(config, layout)`. */
export const openPredictor = async (
  config: ModelConfig,
  layout: TokenLayout,
  weights: Float32Array,
  options: PredictorOptions = {},
): Promise<Predictor> => openModelFile(config, layout, buildInferenceGraph(config, layout, weights), options)

/** `model`: bytes of a file with the inputs and outputs of `buildInferenceGraph`. */
export const openModelFile = (
  config: ModelConfig,
  layout: TokenLayout,
  model: Uint8Array,
  options: PredictorOptions = {},
): Predictor => {
  const { threads = availableParallelism(), limitBytes } = options
  assert(Number.isInteger(threads) && threads > 0, 'at least one thread predicts', { threads })
  const workers = Array.from({ length: threads }, () =>
    openThread<PredictorRequest, Float32Array>(new URL('./predictor-worker.ts', import.meta.url), { model }),
  )
  const predict = async (rows: TokenRows): Promise<Float32Array> => {
    const logits = new Float32Array(rows.length * config.labels)
    const places = Array.from(rows, ({ hidden }) => placesOf(config, layout, hidden))
    const queue = planInference(config, places, limitBytes).values()
    const work = async (worker: (typeof workers)[number]): Promise<void> => {
      for (const batch of queue) {
        const feeds = packInferenceBatch(
          layout,
          config.mode,
          batch.map((i) => rows.at(i)!),
        )
        const answer = await worker.ask(feeds, buffersOf(feeds))
        scatterRows(answer, batch, config.labels, logits)
      }
    }
    await Promise.all(workers.map(work))
    return logits
  }
  return {
    predict,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
    },
  }
}

/** Each once: a buffer can move only once. */
const buffersOf = (feeds: PredictorRequest): readonly ArrayBuffer[] => [
  ...new Set(Object.values(feeds).map(({ data }) => data.buffer as ArrayBuffer)),
]
