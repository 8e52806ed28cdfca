/** One thread of a training run: its share of a step's gradient, and its share of measuring. */
import '#shared/platform/preflight.ts'
import { workerData } from 'node:worker_threads'
import { type Feed, type ModelSession, openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { placesOf } from '../model/inference-batches.ts'
import { parameterTable, weightFeeds } from '../model/parameters.ts'
import { packTrainingBatch } from '../model/training-batch.ts'
import type { CrewAnswer, CrewData, CrewRequest } from './requests.ts'
import { gradientOfShare } from './share-gradient.ts'
import { featuresAt, labelsAt, rowThrough } from './shared-examples.ts'

const data = workerData as CrewData
const { config, layout } = data
const slots = layout.slots.length
const table = parameterTable(config, layout)

/** The runtime refuses tensors over shared memory, so it gets a copy. */
const weights = new Float32Array(table.total)
const parameters = weightFeeds(table, weights)

const training: Promise<ModelSession> = openSession(data.trainingModel, { threads: 1 })
const inference: Promise<ModelSession> = openSession(data.inferenceModel, { threads: 1 })

const labelsOf = (rows: readonly number[]): Float32Array => {
  const labels = new Float32Array(rows.length * config.labels)
  for (const [at, row] of rows.entries()) {
    const own = data.targets?.subarray(row * config.labels, (row + 1) * config.labels)
    labels.set(own ?? labelsAt(data.train, config.labels, row), at * config.labels)
  }
  return labels
}

const gradient = async (request: Extract<CrewRequest, { kind: 'gradient' }>): Promise<CrewAnswer> => {
  const { rows, hidden, batch, draw } = request
  const sets = rows.map(
    (row, at): TokenSet => ({
      get features() {
        return featuresAt(data.train, layout, row)
      },
      hidden: hidden.subarray(at * slots, (at + 1) * slots),
    }),
  )
  const places = sets.map((set) => placesOf(config, layout, set.hidden))
  const loss = await gradientOfShare({ ...data, session: await training, table }, places, (first, end) => {
    const part = rows.slice(first, end)
    const feeds = packTrainingBatch(config, layout, {
      rows: sets.slice(first, end),
      labels: labelsOf(part),
      positiveWeight: data.positiveWeight,
      negativeWeight: data.negativeWeight,
      // Rows of the training part: their masks are the same on any number of threads.
      ...(draw === null ? {} : { noise: { ...draw, observations: part } }),
    })
    return { feeds: { ...parameters, ...feeds }, weight: part.length / batch }
  })
  return { loss }
}

const logits = async ({ part, rows, subset }: Extract<CrewRequest, { kind: 'logits' }>): Promise<CrewAnswer> => {
  const sets = rows.map((row) => rowThrough(data[part], layout, row, subset))
  const feeds: Record<string, Feed> = { ...parameters, ...packInferenceBatch(layout, config.mode, sets) }
  const outputs = await (await inference).run(feeds)
  return { logits: outputs.logits!.data }
}

answerRequests<CrewRequest, CrewAnswer>(
  (request) => {
    weights.set(data.weights)
    return request.kind === 'gradient' ? gradient(request) : logits(request)
  },
  {
    close: async () => {
      await (await training).close()
      await (await inference).close()
    },
  },
)
