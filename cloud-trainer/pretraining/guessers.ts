/** The worker threads of pre-training: gradients of a step, and errors on a part that is not learned from. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import type { ModelConfig } from '../model/config.ts'
import { placesOf, planInference, scatterRows } from '../model/inference-batches.ts'
import { reconstructionTable } from '../model/parameters.ts'
import { countTargets, type TargetScale, tokenWeights } from '../model/reconstruction-batch.ts'
import { buildReconstructionGraph, guessingProgram } from '../model/reconstruction-graph.ts'
import { joined, LIMIT_BYTES, masksOf, visiblePlaces } from '../training/crew.ts'
import { missingAt, type SharedExamples } from '../training/shared-examples.ts'
import type { GradientSource } from '../training/steps.ts'
import { type MemberData, openTeam } from '../training/team.ts'
import type { Errors } from './proxy.ts'
import type { GuessersAnswer, GuessersData, GuessersRequest } from './requests.ts'

export type Guessers = AsyncDisposable &
  GradientSource & {
    /** Mean errors at `weights` on the measured part through each subset ([slots], 1 = hidden). */
    readonly errors: (weights: Float32Array, subsets: readonly Uint8Array[]) => Promise<readonly Errors[]>
  }

export type GuessersOptions = {
  readonly config: ModelConfig
  readonly layout: TokenLayout
  readonly train: SharedExamples
  readonly measured: SharedExamples
  readonly scale: TargetScale
  readonly workers: number
  /** Memory of one run in each thread, above which a share is computed in parts. */
  readonly limitBytes?: number
}

export const openGuessers = (options: GuessersOptions): Guessers => {
  const { config, layout, train, measured, workers, limitBytes = LIMIT_BYTES } = options
  const { total } = reconstructionTable(config, layout)
  const { bytes, gradientOutputs } = buildReconstructionGraph(config, layout)
  const data: Omit<GuessersData, keyof MemberData> = {
    config,
    layout,
    train,
    measured,
    scale: options.scale,
    limitBytes,
    trainingModel: bytes,
    gradientOutputs,
    guessingModel: encodeProgram(guessingProgram(config, layout)),
  }
  const entry = new URL('./guessing-worker.ts', import.meta.url)
  const team = openTeam<typeof data, GuessersRequest, GuessersAnswer>(entry, data, { workers, total })

  const gradient: Guessers['gradient'] = async (weights, rows, hidden, draw) => {
    const masks = masksOf(hidden, rows.length)
    const counts = countTargets(
      layout,
      masks.map((mask, i) => ({ missing: missingAt(train, layout, rows[i]!), hidden: mask })),
    )
    if (counts.every((n) => n === 0)) return { loss: 0, gradient: null }
    team.use(weights)
    const places = masks.map((mask) => placesOf(config, layout, mask))
    const { answers, gradient } = await team.gradient(places, (share) => ({
      kind: 'gradient',
      rows: share.map((i) => rows[i]!),
      hidden: joined(share.map((i) => masks[i]!)),
      draw: draw ?? null,
      tokenWeights: tokenWeights(counts),
    }))
    const loss = answers.reduce((total, answer) => total + ('loss' in answer ? answer.loss : Number.NaN), 0)
    return { loss, gradient }
  }

  const errors: Guessers['errors'] = async (weights, subsets) => {
    team.use(weights)
    const modalities = layout.modalities.length
    const sums = subsets.map(() => new Float32Array(measured.count * modalities))
    const tasks = subsets.flatMap((subset, s) =>
      planInference(config, visiblePlaces(config, layout, measured, subset)).map((rows) => ({ rows, subset, s })),
    )
    await team.each(
      tasks,
      ({ rows, subset }) => ({ kind: 'errors', rows, subset }),
      ({ rows, s }, answer) => {
        if ('errors' in answer) scatterRows(answer.errors, rows, modalities, sums[s]!)
      },
    )
    return subsets.map((subset, s) => meanErrors(layout, measured, subset, sums[s]!))
  }

  return { gradient, errors, [Symbol.asyncDispose]: () => team[Symbol.asyncDispose]() }
}

/** `sums`: [rows × modalities]. In float64 and in the order of the rows, whichever thread gave them. */
const meanErrors = (layout: TokenLayout, examples: SharedExamples, subset: Uint8Array, sums: Float32Array): Errors => {
  const missing = Array.from({ length: examples.count }, (_, row) => missingAt(examples, layout, row))
  const counts = countTargets(
    layout,
    missing.map((own) => ({ missing: own, hidden: subset })),
  )
  const modalities = counts.length
  return counts.map((count, m) => {
    if (count === 0) return null
    let sum = 0
    for (let i = m; i < sums.length; i += modalities) sum += sums[i]!
    return sum / count
  })
}
