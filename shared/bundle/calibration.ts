/**
 * From logits to probabilities: σ(z / T), or softmax(z / T) in the single-label task, with the temperature of the subset
 * group (Guo et al. 2017, eq. 9). The trainer and the edge both calibrate with this code.
 */
import type { Task } from '#shared/domain/task.ts'
import type { Manifest } from './manifest.ts'

export type Calibration = Manifest['calibration']

/** Serves every group that has no temperature of its own. */
export const ANY_GROUP = '*'

/** Names of the modalities that have a visible token, in the model's order; "" when there is none. */
export const subsetGroup = (modalities: readonly string[], visibleTokens: readonly number[]): string =>
  modalities.filter((_, m) => visibleTokens[m]! > 0).join('+')

export const temperatureOf = (calibration: Calibration, group: string): number =>
  calibration.find((entry) => entry.group === group)?.temperature ??
  calibration.find((entry) => entry.group === ANY_GROUP)?.temperature ??
  1

/** Of one observation. Those of the single-label task sum to 1. */
export const probabilitiesOf = (
  logits: ArrayLike<number>,
  temperature: number,
  task: Task = 'multi-label',
): number[] =>
  task === 'single-label'
    ? softmax(logits, temperature)
    : Array.from(logits, (z) => 1 / (1 + Math.exp(-z / temperature)))

/** The largest logit is taken off first, so nothing overflows. */
const softmax = (logits: ArrayLike<number>, temperature: number): number[] => {
  let largest = Number.NEGATIVE_INFINITY
  for (let c = 0; c < logits.length; c++) largest = Math.max(largest, logits[c]!)
  const shares = Array.from(logits, (z) => Math.exp((z - largest) / temperature))
  const total = shares.reduce((sum, share) => sum + share, 0)
  return shares.map((share) => share / total)
}
