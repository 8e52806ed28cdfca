/** A thread that packs its shares of some steps beforehand, and then does nothing but run them. */
import '#shared/platform/preflight.ts'
import { workerData } from 'node:worker_threads'
import type { ModelConfig } from '#cloud/model/config.ts'
import { parameterTable, weightFeeds } from '#cloud/model/parameters.ts'
import { packTrainingBatch } from '#cloud/model/training-batch.ts'
import { buildTrainingGraph } from '#cloud/model/training-graph.ts'
import type { LabelWeights } from '#cloud/training/label-weights.ts'
import { type Feed, openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'

export type StepWorkerData = {
  readonly config: ModelConfig
  readonly layout: TokenLayout
  readonly labelWeights: Pick<LabelWeights, 'positive' | 'negative'>
  readonly weights: Float32Array
}

/** One thread's share of a step: observations as that step sees them, and their labels; run as a whole. */
export type StepShare = { readonly rows: readonly TokenSet[]; readonly labels: Float32Array }

export type StepWorkerRequest =
  | { readonly kind: 'pack'; readonly steps: readonly StepShare[] }
  | { readonly kind: 'run'; readonly step: number }

const { config, layout, labelWeights, weights } = workerData as StepWorkerData
const { bytes, gradientOutputs } = buildTrainingGraph(config, layout)
const outputs = ['loss', ...gradientOutputs]
const parameters = weightFeeds(parameterTable(config, layout), weights)
const session = openSession(bytes, { threads: 1 })

const packed = ({ rows, labels }: StepShare): Record<string, Feed> => ({
  ...parameters,
  ...packTrainingBatch(config, layout, {
    rows,
    labels,
    positiveWeight: labelWeights.positive,
    negativeWeight: labelWeights.negative,
  }),
})

let steps: readonly Record<string, Feed>[] = []

answerRequests<StepWorkerRequest, null>(
  async (request) => {
    if (request.kind === 'pack') steps = request.steps.map(packed)
    else await (await session).run(steps[request.step]!, outputs)
    return null
  },
  { close: async () => (await session).close() },
)
