/**
 * Temperatures that make probabilities σ(z / T), or softmax(z / T), honest (Guo et al. 2017), one for each group of observations
 * that show the same modalities, because a model that sees less should be less sure.
 *
 * A limit: a temperature moves all labels of a group alike, towards or away from one half; a label that alone is too
 * sure stays so. How frequent labels are is not its business: that is put back before (export/base-rates.ts).
 */
import { ANY_GROUP, type Calibration, probabilitiesOf, subsetGroup, temperatureOf } from '#shared/bundle/calibration.ts'
import type { Task } from '#shared/domain/task.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { classOf } from '../metrics/top1.ts'
import type { TokenRows } from '../model/token-rows.ts'

/** Bounds of a temperature: beyond them the data say "no idea" or "no doubt", and too few of them do. */
const LOWEST = 0.05
const HIGHEST = 20
/** Fewest observations of a group that has its own temperature. */
export const FEWEST_OBSERVATIONS = 20
/** Pairs of logit and label that are looked at in all; of more, those of every k-th observation. */
const MOST_PAIRS = 1_000_000
const LOG_TOLERANCE = 1e-4
const INVERSE_GOLDEN = (Math.sqrt(5) - 1) / 2

/** Logits z and labels y (1 or 0) of the same length. */
type Pairs = { readonly z: readonly number[]; readonly y: readonly number[] }

/** ln(1 + eˣ) without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

type Loss = (pairs: Pairs, temperature: number) => number

/** Mean negative log-likelihood at temperature T. Unimodal in T: it is convex in 1/T. */
const labelLoss: Loss = ({ z, y }, temperature) => {
  let sum = 0
  for (let i = 0; i < z.length; i++) sum += softplus((y[i] === 1 ? -z[i]! : z[i]!) / temperature)
  return sum / z.length
}

/** The same of whole observations, `count` logits each, that have one class. */
const classLoss =
  (count: number): Loss =>
  ({ z, y }, temperature) => {
    let sum = 0
    for (let first = 0; first < z.length; first += count) {
      let largest = Number.NEGATIVE_INFINITY
      for (let i = first; i < first + count; i++) largest = Math.max(largest, z[i]!)
      let total = 0
      for (let i = first; i < first + count; i++) {
        total += Math.exp((z[i]! - largest) / temperature)
        if (y[i] === 1) sum -= (z[i]! - largest) / temperature
      }
      sum += Math.log(total)
    }
    return (sum * count) / z.length
  }

/** Golden section search over ln T. */
const fitTemperature = (pairs: Pairs, lossOf: Loss): number => {
  if (pairs.z.length === 0) return 1
  const loss = (logT: number): number => lossOf(pairs, Math.exp(logT))
  let [low, high] = [Math.log(LOWEST), Math.log(HIGHEST)]
  let [a, b] = [high - INVERSE_GOLDEN * (high - low), low + INVERSE_GOLDEN * (high - low)]
  let [lossA, lossB] = [loss(a), loss(b)]
  while (high - low > LOG_TOLERANCE) {
    if (lossA <= lossB) {
      ;[high, b, lossB] = [b, a, lossA]
      a = high - INVERSE_GOLDEN * (high - low)
      lossA = loss(a)
    } else {
      ;[low, a, lossA] = [a, b, lossB]
      b = low + INVERSE_GOLDEN * (high - low)
      lossB = loss(b)
    }
  }
  return Math.exp((low + high) / 2)
}

/** Rows with their logits [rows × labels]; row r has the labels of observation r. */
export type Answers = { readonly rows: TokenRows; readonly logits: ArrayLike<number> }

/** Of an observation: the modalities that it shows, "" for none. */
export const groupOf = (layout: TokenLayout, { hidden }: TokenSet): string => {
  const visible = new Array<number>(layout.modalities.length).fill(0)
  for (const [s, { modality }] of layout.slots.entries()) if (hidden[s] === 0) visible[modality]!++
  return subsetGroup(layout.modalities, visible)
}

type Group = { z: number[]; y: number[]; observations: number }

/**
 * One temperature for each group with at least 20 observations, and `*`, fitted on everything, for the others.
 * labels: [observations × labels], NaN for unknown, which are left out. Single-label: so are observations of no class.
 */
export const fitTemperatures = (
  layout: TokenLayout,
  labels: Float32Array,
  answers: readonly Answers[],
  task: Task = 'multi-label',
): Calibration => {
  const isSingle = task === 'single-label'
  const count = labels.length / (answers[0]?.rows.length ?? 1)
  const loss = isSingle ? classLoss(count) : labelLoss
  const groups = new Map<string, Group>()
  const pooled: Group = { z: [], y: [], observations: 0 }
  const step = Math.ceil((labels.length * answers.length) / MOST_PAIRS)
  for (const { rows, logits } of answers) {
    for (const [r, row] of [...rows].entries()) {
      const name = groupOf(layout, row)
      const group = groups.get(name) ?? { z: [], y: [], observations: 0 }
      groups.set(name, group)
      group.observations++
      if (r % step !== 0) continue
      if (isSingle && classOf(labels, r, count) < 0) continue
      for (let i = r * count; i < (r + 1) * count; i++) {
        if (!isSingle && Number.isNaN(labels[i]!)) continue
        for (const { z, y } of [group, pooled]) {
          z.push(logits[i]!)
          y.push(labels[i]!)
        }
      }
    }
  }
  const own = [...groups]
    .filter(([name, { observations, z }]) => name !== '' && observations >= FEWEST_OBSERVATIONS && z.length > 0)
    .map(([group, pairs]) => ({ group, temperature: fitTemperature(pairs, loss) }))
  return [{ group: ANY_GROUP, temperature: fitTemperature(pooled, loss) }, ...own]
}

/** Calibrated probabilities [rows × labels], row by row with the temperature of its group, as on an edge. */
export const calibrated = (
  layout: TokenLayout,
  calibration: Calibration,
  { rows, logits }: Answers,
  task: Task = 'multi-label',
): Float64Array => {
  const count = logits.length / rows.length
  const probabilities = new Float64Array(logits.length)
  for (const [r, row] of [...rows].entries()) {
    const own = Array.from({ length: count }, (_, c) => logits[r * count + c]!)
    probabilities.set(probabilitiesOf(own, temperatureOf(calibration, groupOf(layout, row)), task), r * count)
  }
  return probabilities
}

const BINS = 15

/** One bin of a reliability diagram; `said` and `found` are 0 where `count` is. */
export type ReliabilityBin = {
  /** Mean probability. */
  readonly said: number
  /** Share of labels that are present. */
  readonly found: number
  /** Known labels in it. */
  readonly count: number
}

/** Sums of answers by bin: 15 of equal width from 0 to 1 (Guo et al. 2017, eq. 1 and 2). */
export type Reliability = {
  /** An answer with its label; one that is unknown (NaN) is left out. */
  readonly add: (probability: number, label: number) => void
  readonly bins: () => readonly ReliabilityBin[]
  /**
   * Expected calibration error (eq. 3): by how much probability and frequency differ in the bins, averaged over known
   * labels. NaN when none is known.
   */
  readonly error: () => number
  /** What that error would be on average if the probabilities were honest, because the answers are so few. */
  readonly chance: () => number
}

export const openReliability = (): Reliability => {
  const [counts, said, found, variance] = Array.from({ length: 4 }, () => new Float64Array(BINS))
  const bins = (): readonly ReliabilityBin[] =>
    Array.from(counts!, (count, bin) => ({
      said: count === 0 ? 0 : said![bin]! / count,
      found: count === 0 ? 0 : found![bin]! / count,
      count,
    }))
  const total = (): number => counts!.reduce((sum, count) => sum + count, 0)
  return {
    add: (probability, label) => {
      if (Number.isNaN(label)) return
      const bin = Math.min(BINS - 1, Math.floor(probability * BINS))
      counts![bin]!++
      said![bin]! += probability
      found![bin]! += label
      variance![bin]! += probability * (1 - probability)
    },
    bins,
    error: () => bins().reduce((sum, bin) => sum + bin.count * Math.abs(bin.said - bin.found), 0) / total(),
    // The sum of a bin's labels is nearly normal; the mean size of a normal number is √(2/π) deviations.
    chance: () => variance!.reduce((sum, own) => sum + Math.sqrt((2 / Math.PI) * own), 0) / total(),
  }
}

const reliabilityOf = (probabilities: ArrayLike<number>, labels: Float32Array): Reliability => {
  const sums = openReliability()
  for (const [i, label] of labels.entries()) sums.add(probabilities[i]!, label)
  return sums
}

export const reliability = (probabilities: ArrayLike<number>, labels: Float32Array): readonly ReliabilityBin[] =>
  reliabilityOf(probabilities, labels).bins()

export const expectedCalibrationError = (probabilities: ArrayLike<number>, labels: Float32Array): number =>
  reliabilityOf(probabilities, labels).error()
