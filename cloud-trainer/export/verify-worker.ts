/** Runs the exported model and the training graph over the same rows; ONNX Runtime blocks this thread and no other. */
import '#shared/platform/preflight.ts'
import { type ModelSession, openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import { packInferenceBatch, type TensorFeed } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { withoutDropout } from '../model/config.ts'
import { parameterTable, weightFeeds } from '../model/parameters.ts'
import { buildTrainingGraph, packTrainingBatch } from '../model/training-graph.ts'
import type { VerifyAnswer, VerifyTask } from './verify-protocol.ts'

type Feeds = Record<string, TensorFeed>

/** Of the training graph. */
const BATCH = 16
/** Larger than any feature, and no number at all: either would show. */
const POISON = [1e30, Number.NaN]

type Rows = readonly TokenSet[]

const inBatches = async (
  { rows, config }: VerifyTask,
  size: number,
  logitsOf: (batch: Rows) => Promise<Float32Array>,
): Promise<Float32Array> => {
  const logits = new Float32Array(rows.length * config.labels)
  for (let start = 0; start < rows.length; start += size) {
    logits.set(await logitsOf(rows.slice(start, start + size)), start * config.labels)
  }
  return logits
}

const trainingFeeds = ({ config, layout }: VerifyTask, batch: Rows): Feeds =>
  packTrainingBatch(config, layout, {
    rows: batch,
    labels: new Float32Array(batch.length * config.labels).fill(Number.NaN),
    positiveWeight: new Float32Array(config.labels),
    negativeWeight: new Float32Array(config.labels),
  })

/** The same row with nonsense in its hidden features. */
const poisoned = (layout: TokenLayout, { features, hidden }: TokenSet): TokenSet => {
  const changed = features.slice()
  for (const [s, { block, offset }] of layout.slots.entries()) {
    if (hidden[s] !== 0) changed.fill(POISON[s % 2]!, offset, offset + layout.blocks[block]!.features)
  }
  return { features: changed, hidden }
}

/** Relative, up and down in turn: four units in the last place of a float32. */
const NUDGE = 2 ** -22

const nudgedRow = ({ features, hidden }: TokenSet): TokenSet => ({
  features: features.map((x, i) => x * (1 + (i % 2 === 0 ? NUDGE : -NUDGE))),
  hidden,
})

/** Padding shows other tokens of other slots. */
const otherPadding = (layout: TokenLayout, feeds: Feeds): Feeds => {
  const { assemble, slot, hidden } = feeds
  if (assemble === undefined || slot === undefined || hidden === undefined) return feeds
  const [assembled, slots] = [assemble.data.slice() as Int32Array, slot.data.slice() as Int32Array]
  const lastRow = assembled.reduce((most, row) => Math.max(most, row), 0)
  for (const [i, isHidden] of hidden.data.entries()) {
    if (isHidden !== 1) continue
    assembled[i] = lastRow
    slots[i] = i % layout.slots.length
  }
  return {
    ...feeds,
    assemble: { data: assembled, shape: assemble.shape },
    slot: { data: slots, shape: slot.shape },
  }
}

const run = async (session: ModelSession, feeds: Feeds): Promise<Float32Array> =>
  (await session.run(feeds, ['logits'])).logits!.data

/** Of the graph that was trained, but for its dropout: a model answers with all of itself. */
const trainedLogits = async (whole: VerifyTask): Promise<Float32Array> => {
  const task = { ...whole, config: withoutDropout(whole.config) }
  const { config, layout, weights } = task
  const session = await openSession(buildTrainingGraph(config, layout).bytes)
  const fixed = weightFeeds(parameterTable(config, layout), weights)
  const logits = await inBatches(task, BATCH, (batch) => run(session, { ...fixed, ...trainingFeeds(task, batch) }))
  await session.close()
  return logits
}

const verify = async (task: VerifyTask): Promise<VerifyAnswer> => {
  const { model, config, layout, batchRows } = task
  const trained = await trainedLogits(task)
  const session = await openSession(model)
  const pack = (batch: Rows): Feeds => packInferenceBatch(layout, config.mode, batch)
  const disturb = (batch: Rows): Feeds => otherPadding(layout, pack(batch.map((row) => poisoned(layout, row))))
  const exported = await inBatches(task, batchRows, (batch) => run(session, pack(batch)))
  const alone = await inBatches(task, 1, (batch) => run(session, pack(batch)))
  const disturbed = await inBatches(task, batchRows, (batch) => run(session, disturb(batch)))
  const nudged = await inBatches(task, 1, (batch) => run(session, pack(batch.map(nudgedRow))))
  await session.close()
  return { trained, exported, alone, disturbed, nudged }
}

answerRequests<VerifyTask, VerifyAnswer>(verify)
