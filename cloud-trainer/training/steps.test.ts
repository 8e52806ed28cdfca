/** What a step asks of its crew: here a crew that writes the masks down and finds nothing to learn. */
import { expect, test } from 'vitest'
import { expectMean, expectVariance, meanOf, range } from '#test/support/draws.ts'
import { exampleTrainingSet } from '#test/support/example-training-set.ts'
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

test('one p is drawn for each batch of training and shared by its observations, whose masks differ', async () => {
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
    strategy: { name: 'beta-hypercube' },
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
  /** Hidden share of the first modality, by observation, for each batch. */
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
  // Balanced at κ = 10: Var(p) = 0.174242 and E[p(1 − p)] = 0.075758; shared, the deviation is 0.417, else 0.037.
  expect(seen.every((shares) => shares.length === BATCH)).toBe(true)
  expectVariance(seen.map(meanOf), 1 / 2, 0.174242 + 0.075758 / (BATCH * TOKENS))
  // Within a batch only the tokens vary: E[p(1 − p)] / T, whose own spread over batches is that of p(1 − p).
  const within = seen.map((shares) => {
    const mean = meanOf(shares)
    return shares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (BATCH - 1)
  })
  expectMean(within, 0.075758 / TOKENS, meanOf(within.map((x) => (x - 0.075758 / TOKENS) ** 2)))
})
