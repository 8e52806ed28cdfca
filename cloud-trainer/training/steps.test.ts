/** What a step asks of its crew: here a crew that writes the masks down and finds nothing to learn. */
import { expect, test } from 'vitest'
import { expectMean, expectVariance, meanOf, range } from '#test/support/draws.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
import type { StrategyOptions } from '../masking/strategy.ts'
import { defaultModelConfig } from '../model/config.ts'
import type { Crew } from './crew.ts'
import { firstWeights, planOf } from './plan.ts'
import { startEpoch, startRun } from './run.ts'
import { shareExamples } from './shared-examples.ts'
import { takeStep } from './steps.ts'
import { DEFAULT_TRAINING, type TrainOptions } from './train.ts'

const BATCH = 128
const TOKENS = 48
const BATCHES = 400

/** Hidden share of the first modality, by observation, for each batch. */
const sharesHidden = async (strategy: StrategyOptions): Promise<readonly (readonly number[])[]> => {
  const set = exampleTrainingSet({
    modalities: [
      { name: 'table', tokens: TOKENS, noise: 1 },
      { name: 'sound', tokens: 2, noise: 1 },
    ],
    labels: 2,
    train: 4 * BATCH,
    validation: 8,
    seed: 1,
  })
  const options: TrainOptions = {
    ...DEFAULT_TRAINING,
    set,
    config: { ...defaultModelConfig(2), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 4 },
    strategy,
    seed: 3,
    batchSize: BATCH,
    workers: 1,
    folder: null,
    startFrom: null,
  }
  const plan = planOf(options)
  const run = startRun(plan, firstWeights(options, plan))
  const examples = shareExamples(set.layout, 2, set.train)
  const slots = set.layout.slots.length
  const seen: (readonly number[])[] = []
  const gradient: Crew['gradient'] = async (weights, rows, hidden) => {
    seen.push(Array.from(rows, (_, i) => meanOf([...hidden.subarray(i * slots, i * slots + TOKENS)])))
    return { loss: 0, gradient: new Float32Array(weights.length) }
  }
  const crew: Crew = { gradient, logits: async () => [], teach: async () => {}, [Symbol.asyncDispose]: async () => {} }
  for (const step of range(BATCHES)) {
    if (step % 4 === 0 && step > 0) run.epoch = startEpoch(run.streams, plan.count)
    await takeStep(crew, run, plan, set, examples, 4)
  }
  expect(seen.every((shares) => shares.length === BATCH)).toBe(true)
  return seen
}

const varianceWithin = (shares: readonly number[]): number => {
  const mean = meanOf(shares)
  return shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (shares.length - 1)
}

// Balanced at κ = 10.
const VARIANCE_OF_P = 0.174242
/** E[p(1 − p)]. */
const OF_A_TOKEN = 0.075758

test('one p is drawn for each batch of training and shared by its observations, whose masks differ', async () => {
  const seen = await sharesHidden({ name: 'beta-hypercube' })
  // Shared, the deviation of a batch's mean is 0.417, else 0.037.
  expectVariance(seen.map(meanOf), 1 / 2, VARIANCE_OF_P + OF_A_TOKEN / (BATCH * TOKENS))
  // Within a batch only the tokens vary: E[p(1 − p)] / T, whose own spread over batches is that of p(1 − p).
  const within = seen.map(varianceWithin)
  const expected = OF_A_TOKEN / TOKENS
  expectMean(within, expected, meanOf(within.map((x) => (x - expected) ** 2)))
})

test('or each observation draws its own', async () => {
  const seen = await sharesHidden({ name: 'beta-hypercube', draws: 'observation' })
  const ofOne = VARIANCE_OF_P + OF_A_TOKEN / TOKENS
  expectVariance(seen.map(meanOf), 1 / 2, ofOne / BATCH)
  const within = seen.map(varianceWithin)
  expectMean(within, ofOne, meanOf(within.map((x) => (x - ofOne) ** 2)))
})
