/** How well a pre-trained model predicts a missing modality from others, beside the mean and a linear predictor. */
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { type Subset, standardSubsets } from '../model/subset.ts'
import type { TokenRows } from '../model/token-rows.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { shareExamples } from '../training/shared-examples.ts'
import { openGuessers } from './guessers.ts'
import { MOST_NUMBERS, openLinearGuess } from './linear-guess.ts'
import type { Pretrained } from './pretrain.ts'

export type AnyToAny = {
  /** `test` where there is such a part. Penalties of the linear predictor are always chosen on `validation`. */
  readonly part: 'test' | 'validation'
  readonly observations: number
  readonly entries: readonly AnyToAnyEntry[]
}

/** Mean squared errors of numbers scaled to deviation 1 in the training part. */
type AnyToAnyEntry = {
  /** Visible: names of modalities joined by `+`. */
  readonly from: string
  readonly group: Subset['group']
  /** The modality that is predicted. */
  readonly to: string
  readonly mean: number
  /** Null where the inputs are too many for it, or no training row has the whole modality. */
  readonly ridge: number | null
  readonly penalty: number | null
  readonly model: number
}

export const measureAnyToAny = async (
  { weights, config, scale, workers }: Pick<Pretrained, 'weights' | 'config' | 'scale' | 'workers'>,
  set: TrainingSet,
): Promise<AnyToAny> => {
  const { layout, labels, train, validation } = set
  const part = set.test === null ? 'validation' : 'test'
  const examples = set.test ?? validation
  const measured = shareExamples(layout, labels.length, examples)
  // Nothing is learned any more: what is measured stands in for the training part.
  await using guessers = openGuessers({ config, layout, train: measured, measured, scale, workers })
  const subsets = standardSubsets(layout).filter(({ hidden }) => hidden.includes(1))
  const errors = await guessers.errors(
    weights,
    subsets.map(({ hidden }) => hidden),
  )
  const linear =
    layout.featureCount > MOST_NUMBERS
      ? null
      : openLinearGuess(layout, scale, { train: train.rows, validation: validation.rows, measured: examples.rows })
  const means = meanErrors(layout, examples.rows, scale)
  const entries: AnyToAnyEntry[] = []
  for (const [s, { name: from, group, hidden }] of subsets.entries()) {
    for (const [m, to] of layout.modalities.entries()) {
      const model = errors[s]![m]!
      if (model === null) continue
      const { error: ridge, penalty } = linear?.error(hidden, m) ?? { error: null, penalty: null }
      entries.push({ from, group, to, mean: means[m]!, ridge, penalty, model })
    }
  }
  return { part, observations: examples.rows.length, entries }
}

/** Of the training mean, which is 0 in scaled numbers, by modality; NaN where there is nothing. */
const meanErrors = (
  { modalities, slots, blocks }: TokenLayout,
  rows: TokenRows,
  scale: Pretrained['scale'],
): readonly number[] => {
  const sums = modalities.map(() => 0)
  const tokens = modalities.map(() => 0)
  for (const row of rows) {
    const { features, hidden } = row
    for (const [s, { modality, block, offset }] of slots.entries()) {
      if (hidden[s] === 1) continue
      const count = blocks[block]!.features
      for (let i = offset; i < offset + count; i++) {
        sums[modality]! += ((features[i]! - scale.mean[i]!) / scale.deviation[i]!) ** 2 / count
      }
      tokens[modality]!++
    }
  }
  return sums.map((sum, m) => sum / tokens[m]!)
}
