/** One thread of pre-training: its share of a step's gradient, and its share of measuring. */
import '#shared/platform/preflight.ts'
import { workerData } from 'node:worker_threads'
import { type ModelSession, openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { withoutDropout } from '../model/config.ts'
import { placesOf } from '../model/inference-batches.ts'
import { reconstructionTable, weightFeeds } from '../model/parameters.ts'
import { packReconstruction } from '../model/reconstruction-batch.ts'
import { guessOutput } from '../model/reconstruction-graph.ts'
import { gradientOfShare } from '../training/share-gradient.ts'
import { featuresAt, missingAt } from '../training/shared-examples.ts'
import type { GuessersAnswer, GuessersData, GuessersRequest } from './requests.ts'

const data = workerData as GuessersData
const { config, layout, scale } = data
const slots = layout.slots.length
const table = reconstructionTable(config, layout)

/** The runtime refuses tensors over shared memory, so it gets a copy. */
const weights = new Float32Array(table.total)
const parameters = weightFeeds(table, weights)

const training: Promise<ModelSession> = openSession(data.trainingModel, { threads: 1 })
const guessing: Promise<ModelSession> = openSession(data.guessingModel, { threads: 1 })

type Asked = { readonly row: TokenSet; readonly targets: Uint8Array }

/** `hidden`: [slots], missing included. What is hidden and there is asked for. */
const asked = (part: 'train' | 'measured', row: number, hidden: Uint8Array): Asked => {
  const missing = missingAt(data[part], layout, row)
  return {
    row: { features: featuresAt(data[part], layout, row), hidden },
    targets: hidden.map((value, s) => (value === 1 && missing[s] === 0 ? 1 : 0)),
  }
}

const batchOf = (some: readonly Asked[], tokenWeights: readonly number[]) => ({
  rows: some.map(({ row }) => row),
  targets: some.map(({ targets }) => targets),
  scale,
  tokenWeights,
})

const gradient = async (request: Extract<GuessersRequest, { kind: 'gradient' }>): Promise<GuessersAnswer> => {
  const { rows, hidden, draw, tokenWeights } = request
  const all = rows.map((row, at) => asked('train', row, hidden.subarray(at * slots, (at + 1) * slots)))
  const places = all.map(({ row }) => placesOf(config, layout, row.hidden))
  const loss = await gradientOfShare({ ...data, session: await training, table }, places, (first, end) => {
    const feeds = packReconstruction(config, layout, {
      ...batchOf(all.slice(first, end), tokenWeights),
      ...(draw === null ? {} : { noise: { ...draw, observations: rows.slice(first, end) } }),
    })
    // The weights of the tokens are those of the whole step already.
    return { feeds: { ...parameters, ...feeds }, weight: 1 }
  })
  return { loss }
}

const errors = async ({ rows, subset }: Extract<GuessersRequest, { kind: 'errors' }>): Promise<GuessersAnswer> => {
  const all = rows.map((row) => {
    const missing = missingAt(data.measured, layout, row)
    return asked(
      'measured',
      row,
      missing.map((value, s) => value | subset[s]!),
    )
  })
  const modalities = layout.modalities.length
  const sums = new Float32Array(rows.length * modalities)
  const feeds = packReconstruction(
    withoutDropout(config),
    layout,
    batchOf(
      all,
      layout.modalities.map(() => 1),
    ),
  )
  const session = await guessing
  const outputs = await session.run({ ...parameters, ...feeds })
  for (const { name, groups, features } of layout.blocks) {
    const guess = outputs[guessOutput(name)]!.data
    const [values, index, share] = ['', '.row', '.share'].map((end) => feeds[`target.${name}${end}`]!.data)
    const places = index!.length / groups
    for (let at = 0; at < groups * places; at++) {
      if (share![at] === 0) continue
      let sum = 0
      for (let i = at * features; i < (at + 1) * features; i++) sum += (guess[i]! - values![i]!) ** 2
      const { modality } = layout.slots[index![at]! % slots]!
      sums[Math.floor(index![at]! / slots) * modalities + modality]! += sum / features
    }
  }
  return { errors: sums }
}

answerRequests<GuessersRequest, GuessersAnswer>(
  (request) => {
    weights.set(data.weights)
    return request.kind === 'gradient' ? gradient(request) : errors(request)
  },
  {
    close: async () => {
      await (await training).close()
      await (await guessing).close()
    },
  },
)
