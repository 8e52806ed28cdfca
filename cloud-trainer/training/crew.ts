/**
 * The worker threads of a run, one session of one runtime thread each. A batch is divided by observations and its
 * gradients are summed in the order of the threads: an equal number of threads gives equal bits. A thread that
 * fails fails the run; another division would change the bits.
 */
import { taskOf } from '#shared/domain/task.ts'
import { openThread } from '#shared/platform/thread.ts'
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
import { softTargets } from './soft-targets.ts'
import { deal } from './split.ts'

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
const LIMIT_BYTES = 2 ** 28

const sharedFloats = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length))

export const openCrew = ({
  config,
  layout,
  train,
  validation,
  labelWeights,
  workers,
  ...options
}: CrewOptions): Crew => {
  assert(Number.isInteger(workers) && workers > 0, 'at least one worker trains', { workers })
  const { total } = parameterTable(config, layout)
  const { bytes, gradientOutputs } = buildTrainingGraph(config, layout)
  const { isTaught = false } = options
  const targets = isTaught ? sharedFloats(train.count * config.labels) : null
  const common: Omit<CrewData, 'gradient'> = {
    config,
    layout,
    train,
    validation,
    targets,
    positiveWeight: labelWeights.positive,
    negativeWeight: labelWeights.negative,
    weights: sharedFloats(total),
    limitBytes: options.limitBytes ?? LIMIT_BYTES,
    trainingModel: bytes,
    gradientOutputs,
    inferenceModel: buildInferenceGraph(config, layout, 'inputs'),
  }
  const members = Array.from({ length: workers }, () => {
    const gradient = sharedFloats(total)
    const data: CrewData = { ...common, gradient }
    const entry = new URL('./training-worker.ts', import.meta.url)
    return { gradient, ask: openThread<CrewRequest, CrewAnswer>(entry, data) }
  })
  const sum = new Float32Array(total)
  targets?.set(everyLabel(train))

  const gradient: Crew['gradient'] = async (weights, rows, hidden, draw) => {
    common.weights.set(weights)
    const slots = layout.slots.length
    const masks = Array.from(rows, (_, i) => hidden.subarray(i * slots, (i + 1) * slots))
    const shares = deal(
      masks.map((mask) => placesOf(config, layout, mask)),
      workers,
    )
    const busy = members.flatMap((member, w) => (shares[w]!.length > 0 ? [{ ...member, share: shares[w]! }] : []))
    const answers = await Promise.all(
      busy.map(({ ask, share }) =>
        ask.ask({
          kind: 'gradient',
          rows: share.map((i) => rows[i]!),
          hidden: joined(share.map((i) => masks[i]!)),
          draw: draw ?? null,
          batch: rows.length,
        }),
      ),
    )
    addUp(
      busy.map((member) => member.gradient),
      sum,
    )
    const loss = answers.reduce((total, answer) => total + ('loss' in answer ? answer.loss : Number.NaN), 0)
    return { loss, gradient: sum }
  }

  const answers = async (
    weights: Float32Array,
    part: 'train' | 'validation',
    subsets: readonly Uint8Array[],
  ): Promise<readonly Float32Array[]> => {
    common.weights.set(weights)
    const examples = common[part]
    const results = subsets.map(() => new Float32Array(examples.count * config.labels))
    const tasks = subsets.flatMap((subset, s) =>
      planInference(config, visiblePlaces(config, layout, examples, subset)).map((rows) => ({ rows, subset, s })),
    )
    const queue = tasks.values()
    const work = async ({ ask }: (typeof members)[number]): Promise<void> => {
      for (const { rows, subset, s } of queue) {
        const answer = await ask.ask({ kind: 'logits', part, rows, subset })
        if ('logits' in answer) scatterRows(answer.logits, rows, config.labels, results[s]!)
      }
    }
    await Promise.all(members.map(work))
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
    [Symbol.asyncDispose]: async () => {
      await Promise.all(members.map(({ ask }) => ask.close()))
    },
  }
}

const joined = (masks: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(masks.reduce((length, mask) => length + mask.length, 0))
  let at = 0
  for (const mask of masks) {
    all.set(mask, at)
    at += mask.length
  }
  return all
}

/** In float64 and in order, then rounded once. */
const addUp = (parts: readonly Float32Array[], sum: Float32Array): void => {
  for (let i = 0; i < sum.length; i++) {
    let total = 0
    for (const part of parts) total += part[i]!
    sum[i] = total
  }
}

const visiblePlaces = (
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
