/** How honest calibrated probabilities are, for each group of observations that show the same modalities. */
import { type Calibration, probabilitiesOf, temperatureOf } from '#shared/bundle/calibration.ts'
import type { Task } from '#shared/domain/task.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { classOf, topClass } from '../metrics/top1.ts'
import { pickRows } from '../model/token-rows.ts'
import { type Answers, FEWEST_OBSERVATIONS, fitTemperatures, groupOf, openReliability } from './calibrate.ts'

/** Of the labels, or in the single-label task of the most probable class. */
export type GroupError = {
  /** Modalities joined by "+". */
  readonly group: string
  /** Answers to observations; one that was asked with several subsets counts as often. */
  readonly observations: number
  /** Expected calibration error without temperatures, and with them. */
  readonly before: number
  readonly after: number
  /** What honest probabilities would show among as few answers, on average. */
  readonly chance: number
}

type Examples = {
  readonly layout: TokenLayout
  /** [observations × labels], NaN for unknown. */
  readonly labels: Float32Array
  readonly answers: readonly Answers[]
  readonly task: Task
}

/** Groups with at least 20 answers to observations, the others of too few to say, in the order in which they appear. */
export const calibrationErrors = (calibration: Calibration, examples: Examples): readonly GroupError[] =>
  errorsWith(() => calibration, examples)

/**
 * The same where only the examples that temperatures are fitted on are at hand: each half of the observations (every
 * second one) with the temperatures of the other.
 */
export const halvedErrors = (examples: Examples): readonly GroupError[] => {
  const { layout, task } = examples
  const [even, odd] = [0, 1].map((parity) => {
    const { labels, answers } = everySecond(examples, parity)
    return fitTemperatures(layout, labels, answers, task)
  })
  return errorsWith((row) => (row % 2 === 0 ? odd! : even!), examples)
}

const errorsWith = (
  calibrationOf: (row: number) => Calibration,
  { layout, labels, answers, task }: Examples,
): readonly GroupError[] => {
  const groups = new Map<string, ReturnType<typeof openGroup>>()
  for (const { rows, logits } of answers) {
    const count = logits.length / rows.length
    let r = 0
    for (const row of rows) {
      const name = groupOf(layout, row)
      const group = groups.get(name) ?? openGroup()
      groups.set(name, group)
      group.observations++
      const own = Array.from({ length: count }, (_, c) => logits[r * count + c]!)
      const known = labels.subarray(r * count, (r + 1) * count)
      addAnswers(group.before, probabilitiesOf(own, 1, task), known, task)
      addAnswers(group.after, probabilitiesOf(own, temperatureOf(calibrationOf(r), name), task), known, task)
      r++
    }
  }
  return [...groups]
    .filter(([name, { observations }]) => name !== '' && observations >= FEWEST_OBSERVATIONS)
    .map(([group, { observations, before, after }]) => ({
      group,
      observations,
      before: before.error(),
      after: after.error(),
      chance: after.chance(),
    }))
    .filter(({ after }) => !Number.isNaN(after))
}

const openGroup = () => ({ observations: 0, before: openReliability(), after: openReliability() })

const addAnswers = (
  { add }: ReturnType<typeof openReliability>,
  probabilities: readonly number[],
  labels: Float32Array,
  task: Task,
): void => {
  if (task === 'multi-label') {
    for (const [c, p] of probabilities.entries()) add(p, labels[c]!)
    return
  }
  const [own, top] = [classOf(labels, 0, labels.length), topClass(probabilities, 0, labels.length)]
  if (own >= 0 && top >= 0) add(probabilities[top]!, Number(own === top))
}

const everySecond = ({ labels, answers }: Examples, parity: number): Pick<Examples, 'labels' | 'answers'> => {
  const observations = answers[0]?.rows.length ?? 0
  const picked = Array.from({ length: observations }, (_, i) => i).filter((i) => i % 2 === parity)
  const count = labels.length / observations
  const halfOf = (values: ArrayLike<number>): Float32Array => {
    const half = new Float32Array(picked.length * count)
    for (const [i, row] of picked.entries()) {
      for (let c = 0; c < count; c++) half[i * count + c] = values[row * count + c]!
    }
    return half
  }
  return {
    labels: halfOf(labels),
    answers: answers.map(({ rows, logits }) => ({ rows: pickRows(rows, picked), logits: halfOf(logits) })),
  }
}
