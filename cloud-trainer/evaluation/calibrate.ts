/**
 * Temperatures that make probabilities σ(z / T) honest (Guo et al. 2017), one for each group of observations
 * that show the same modalities, because a model that sees less should be less sure.
 *
 * A limit: a temperature moves all labels of a group alike, towards or away from one half; a label that alone is too
 * sure stays so. How frequent labels are is not its business: that is put back before (export/base-rates.ts).
 */
import { ANY_GROUP, type Calibration, probabilitiesOf, subsetGroup, temperatureOf } from '#shared/bundle/calibration.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'

/** Bounds of a temperature: beyond them the data say "no idea" or "no doubt", and too few of them do. */
const LOWEST = 0.05
const HIGHEST = 20
/** Fewest observations of a group that has its own temperature. */
const FEWEST_OBSERVATIONS = 20
/** Pairs of logit and label that are looked at in all; of more, those of every k-th observation. */
const MOST_PAIRS = 1_000_000
const LOG_TOLERANCE = 1e-4
const INVERSE_GOLDEN = (Math.sqrt(5) - 1) / 2

/** Logits z and labels y (1 or 0) of the same length. */
type Pairs = { readonly z: readonly number[]; readonly y: readonly number[] }

/** ln(1 + eˣ) without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

/** Mean negative log-likelihood at temperature T. Unimodal in T: it is convex in 1/T. */
const negativeLogLikelihood = ({ z, y }: Pairs, temperature: number): number => {
  let sum = 0
  for (let i = 0; i < z.length; i++) sum += softplus((y[i] === 1 ? -z[i]! : z[i]!) / temperature)
  return sum / z.length
}

/** Golden section search over ln T. */
const fitTemperature = (pairs: Pairs): number => {
  if (pairs.z.length === 0) return 1
  const loss = (logT: number): number => negativeLogLikelihood(pairs, Math.exp(logT))
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
export type Answers = { readonly rows: readonly TokenSet[]; readonly logits: ArrayLike<number> }

const groupOf = (layout: TokenLayout, { hidden }: TokenSet): string => {
  const visible = new Array<number>(layout.modalities.length).fill(0)
  for (const [s, { modality }] of layout.slots.entries()) if (hidden[s] === 0) visible[modality]!++
  return subsetGroup(layout.modalities, visible)
}

type Group = { z: number[]; y: number[]; observations: number }

/**
 * One temperature for each group with at least 20 observations, and `*`, fitted on everything, for the others.
 * labels: [observations × labels], NaN for unknown, which are left out.
 */
export const fitTemperatures = (
  layout: TokenLayout,
  labels: Float32Array,
  answers: readonly Answers[],
): Calibration => {
  const groups = new Map<string, Group>()
  const pooled: Group = { z: [], y: [], observations: 0 }
  const step = Math.ceil((labels.length * answers.length) / MOST_PAIRS)
  for (const { rows, logits } of answers) {
    const count = labels.length / rows.length
    for (const [r, row] of rows.entries()) {
      const name = groupOf(layout, row)
      const group = groups.get(name) ?? { z: [], y: [], observations: 0 }
      groups.set(name, group)
      group.observations++
      if (r % step !== 0) continue
      for (let i = r * count; i < (r + 1) * count; i++) {
        if (Number.isNaN(labels[i]!)) continue
        for (const { z, y } of [group, pooled]) {
          z.push(logits[i]!)
          y.push(labels[i]!)
        }
      }
    }
  }
  const own = [...groups]
    .filter(([name, { observations, z }]) => name !== '' && observations >= FEWEST_OBSERVATIONS && z.length > 0)
    .map(([group, pairs]) => ({ group, temperature: fitTemperature(pairs) }))
  return [{ group: ANY_GROUP, temperature: fitTemperature(pooled) }, ...own]
}

/** Calibrated probabilities [rows × labels], row by row with the temperature of its group, as on an edge. */
export const calibrated = (layout: TokenLayout, calibration: Calibration, { rows, logits }: Answers): Float64Array => {
  const count = logits.length / rows.length
  const probabilities = new Float64Array(logits.length)
  for (const [r, row] of rows.entries()) {
    const own = Array.from({ length: count }, (_, c) => logits[r * count + c]!)
    probabilities.set(probabilitiesOf(own, temperatureOf(calibration, groupOf(layout, row))), r * count)
  }
  return probabilities
}

const BINS = 15

/**
 * Expected calibration error (Guo et al. 2017, eq. 3, 15 bins of equal width): by how much probability and
 * frequency differ, averaged over known labels. NaN when none is known.
 */
export const expectedCalibrationError = (probabilities: ArrayLike<number>, labels: Float32Array): number => {
  const counts = new Float64Array(BINS)
  const said = new Float64Array(BINS)
  const found = new Float64Array(BINS)
  for (let i = 0; i < labels.length; i++) {
    if (Number.isNaN(labels[i]!)) continue
    const bin = Math.min(BINS - 1, Math.floor(probabilities[i]! * BINS))
    counts[bin]!++
    said[bin]! += probabilities[i]!
    found[bin]! += labels[i]!
  }
  const total = counts.reduce((sum, n) => sum + n, 0)
  return counts.reduce((sum, _, bin) => sum + Math.abs(said[bin]! - found[bin]!), 0) / total
}
