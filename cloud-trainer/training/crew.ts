/**
 * The worker threads of a run, one session of one runtime thread each. A thread that fails fails the run; another
 * division of the batch would change the bits.
 */
import { taskOf } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import { placesOf, planInference, scatterRows } from '../model/inference-batches.ts'
import { buildInferenceGraph } from '../model/inference-graph.ts'
import { parameterTable } from '../model/parameters.ts'
import { buildTrainingGraph } from '../model/training-graph.ts'
import type { LabelWeights } from './label-weights.ts'
import type { CrewAnswer, CrewData, CrewRequest, StepDraw } from './requests.ts'
import { everyLabel, missingAt, type SharedExamples } from './shared-examples.ts'
import { sharedFloats } from './shared-floats.ts'
import { softTargets } from './soft-targets.ts'
import { type MemberData, openTeam } from './team.ts'

export type Crew = AsyncDisposable & {
  /**
   * Mean loss over a batch and its gradient at `weights`. rows: of the training part; hidden: [rows × slots];
   * draw: what dropout is drawn from, which a model that has some can't do without.
   * The gradient is overwritten by the next call.
   */
  readonly gradient: (
    weights: Float32Array,
    rows: Int32Array,
    hidden: Uint8Array,
    draw?: StepDraw,
  ) => Promise<{ readonly loss: number; readonly gradient: Float32Array }>
  /** Logits [validation rows × labels] at `weights`, for each subset ([slots], 1 = hidden). */
  readonly logits: (weights: Float32Array, subsets: readonly Uint8Array[]) => Promise<readonly Float32Array[]>
  /**
   * From now on the loss takes the answers at `weights` to the whole input for such a share of the labels. Only of a
   * crew that was opened for it.
   */
  readonly teach: (weights: Float32Array, share: number) => Promise<void>
}

export type CrewOptions = {
  readonly config: ModelConfig
  readonly layout: TokenLayout
  readonly train: SharedExamples
  readonly validation: SharedExamples
  readonly labelWeights: LabelWeights
  readonly workers: number
  /** Its labels are to be taught; that takes their memory once more. */
  readonly isTaught?: boolean
  /** Memory of one run in each thread, above which a share is computed in parts. */
  readonly limitBytes?: number
}

/**
 * A share of a usual batch fits as a whole; long inputs in `replace` mode do not. The process takes about twice as
 * much. Larger parts were no faster (350 tokens of width 192: 32 observations in 1.2 to 1.4 s on one core, whether
 * in parts of 5 or of 11).
 */
export const LIMIT_BYTES = 2 ** 28

export const openCrew = ({
  config,
  layout,
  train,
  validation,
  labelWeights,
  workers,
  ...options
}: CrewOptions): Crew => {
  const { total } = parameterTable(config, layout)
  const { bytes, gradientOutputs } = buildTrainingGraph(config, layout)
  const { isTaught = false } = options
  const targets = isTaught ? sharedFloats(train.count * config.labels) : null
  const data: Omit<CrewData, keyof MemberData> = {
    config,
    layout,
    train,
    validation,
    targets,
    positiveWeight: labelWeights.positive,
    negativeWeight: labelWeights.negative,
    limitBytes: options.limitBytes ?? LIMIT_BYTES,
    trainingModel: bytes,
    gradientOutputs,
    inferenceModel: buildInferenceGraph(config, layout, 'inputs'),
  }
  const entry = new URL('./training-worker.ts', import.meta.url)
  const team = openTeam<typeof data, CrewRequest, CrewAnswer>(entry, data, { workers, total })
  targets?.set(everyLabel(train))

  const gradient: Crew['gradient'] = async (weights, rows, hidden, draw) => {
    team.use(weights)
    const masks = masksOf(hidden, rows.length)
    const places = masks.map((mask) => placesOf(config, layout, mask))
    const { answers, gradient } = await team.gradient(places, (share) => ({
      kind: 'gradient',
      rows: share.map((i) => rows[i]!),
      hidden: joined(share.map((i) => masks[i]!)),
      draw: draw ?? null,
      batch: rows.length,
    }))
    const loss = answers.reduce((total, answer) => total + ('loss' in answer ? answer.loss : Number.NaN), 0)
    return { loss, gradient }
  }

  const answers = async (
    weights: Float32Array,
    part: 'train' | 'validation',
    subsets: readonly Uint8Array[],
  ): Promise<readonly Float32Array[]> => {
    team.use(weights)
    const examples = data[part]
    const results = subsets.map(() => new Float32Array(examples.count * config.labels))
    const tasks = subsets.flatMap((subset, s) =>
      planInference(config, visiblePlaces(config, layout, examples, subset)).map((rows) => ({ rows, subset, s })),
    )
    await team.each(
      tasks,
      ({ rows, subset }) => ({ kind: 'logits', part, rows, subset }),
      ({ rows, s }, answer) => {
        if ('logits' in answer) scatterRows(answer.logits, rows, config.labels, results[s]!)
      },
    )
    return results
  }

  const teach: Crew['teach'] = async (weights, share) => {
    assert(targets !== null, 'the crew was opened to be taught')
    const [whole] = await answers(weights, 'train', [new Uint8Array(layout.slots.length)])
    targets.set(softTargets(everyLabel(train), whole!, labelWeights, share, taskOf(config)))
  }

  return {
    gradient,
    logits: (weights, subsets) => answers(weights, 'validation', subsets),
    teach,
    [Symbol.asyncDispose]: () => team[Symbol.asyncDispose](),
  }
}

/** The masks of a batch one by one. */
export const masksOf = (hidden: Uint8Array, count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, i) =>
    hidden.subarray((i * hidden.length) / count, ((i + 1) * hidden.length) / count),
  )

export const joined = (masks: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(masks.reduce((length, mask) => length + mask.length, 0))
  let at = 0
  for (const mask of masks) {
    all.set(mask, at)
    at += mask.length
  }
  return all
}

/** Places that each example takes when it is seen through a subset. */
export const visiblePlaces = (
  config: ModelConfig,
  layout: TokenLayout,
  examples: SharedExamples,
  subset: Uint8Array,
): readonly number[] =>
  Array.from({ length: examples.count }, (_, row) =>
    placesOf(
      config,
      layout,
      missingAt(examples, layout, row).map((value, slot) => value | subset[slot]!),
    ),
  )
