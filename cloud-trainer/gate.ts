/** Whether a new model may take the place of the one that stations run. Pure. */

/** What a subset's score does from one model to the other, on the same observations. */
export type SubsetChange = {
  readonly subset: string
  /** Recent ones that stations made with it; null where no traffic is known. */
  readonly predictions: number | null
  /** NaN where it could not be measured. */
  readonly before: number
  readonly after: number
  /** Ends of the 95 % interval of after − before, for all judged subsets at once. */
  readonly low: number
  readonly high: number
}

/** A new model against an earlier one. */
export type Comparison = {
  /**
   * Mean score (macro AUC, or Top-1 in the single-label task) over the subsets and labels that both models know, on the
   * same observations.
   */
  readonly before: number
  readonly after: number
  readonly subsets: readonly string[]
  readonly labels: readonly string[]
  /** Those with real traffic, the most asked first; without any the standard ones. */
  readonly judged: readonly SubsetChange[]
}

/** An earlier model that a new one must not be worse than. */
export type Rival = {
  /** `current`: the one that stations run. `reference`: the last one that nothing has been lost against since. */
  readonly role: 'current' | 'reference'
  /** Number of the run that made it. */
  readonly run: number
  /** Null when they have no subset or no label in common. */
  readonly comparison: Comparison | null
}

export type Fall = SubsetChange & { readonly against: Rival['role'] }

export type GateVerdict =
  | { readonly kind: 'publish' }
  /** `fell`: the subsets that are the reason; none when it is another. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly fell: readonly Fall[] }

/** How far a score may fall before a new model is refused (our choice): chance alone moves it between trainings. */
export const DEFAULT_TOLERANCE = 0.02

/**
 * Refuses a model that is worse than a rival by more than the tolerance: in the mean, or on a judged subset where the
 * interval of the change leaves out zero as well. A missing number is a reason to refuse, never to publish. Without rivals
 * any model that could be measured may be published. A reference that has nothing in common with a new model judges nothing.
 */
export const judgeModel = (
  measured: { readonly average: number },
  rivals: readonly Rival[],
  { tolerance }: { readonly tolerance: number },
): GateVerdict => {
  if (Number.isNaN(measured.average)) {
    return refuse('no label could be measured: each needs both answers in every part')
  }
  for (const { role, comparison } of rivals) {
    if (comparison !== null) {
      const verdict = judgeComparison(role, comparison, tolerance)
      if (verdict.kind === 'refuse') return verdict
    } else if (role === 'current') {
      return refuse('nothing to compare with the current model: no subset or label in common')
    }
  }
  return { kind: 'publish' }
}

const refuse = (reason: string, fell: readonly Fall[] = []): GateVerdict => ({ kind: 'refuse', reason, fell })

const judgeComparison = (role: Rival['role'], comparison: Comparison, tolerance: number): GateVerdict => {
  const { before, after, judged } = comparison
  const fell = judged
    .filter((change) => !isAcceptable(change, tolerance))
    .map((change) => ({ ...change, against: role }))
  // The subsets say more than their mean does. Written so that NaN refuses.
  if (fell.length > 0) return refuse(fell.map((fall) => reasonOf(fall, tolerance)).join('; '), fell)
  if (before - after <= tolerance) return { kind: 'publish' }
  const numbers = `${after.toFixed(4)}, the ${role} model's ${before.toFixed(4)}`
  return refuse(`its mean score is ${numbers}: more than ${tolerance} lower`)
}

/** False when a number is missing. */
const isAcceptable = ({ before, after, low, high }: SubsetChange, tolerance: number): boolean =>
  (before - after <= tolerance && low <= high) || (low <= 0 && high >= 0)

const reasonOf = ({ subset, predictions, against, before, after, low, high }: Fall, tolerance: number): string => {
  const asked = predictions === null ? 'no traffic known yet' : `${predictions} recent predictions`
  const where = `on "${subset}" (${asked})`
  if (Number.isNaN(low)) {
    return (
      `${where} it could not be compared with the ${against} model: too few labelled observations have these inputs ` +
      `(label some, or raise --traffic-share)`
    )
  }
  const numbers = `${after.toFixed(4)}, the ${against} model's ${before.toFixed(4)}`
  const interval = `95 % interval of the change ${low.toFixed(4)} to ${high.toFixed(4)}`
  return `${where} its score is ${numbers}: more than ${tolerance} lower, ${interval}`
}

/**
 * The run that later models are held to once this one is published: the rival that this one lost something against, be it
 * within the tolerance or by chance, or null, which is this one. So small losses add up before somebody's eyes.
 */
export const heldTo = (rivals: readonly Rival[]): number | null => {
  // A reference that can be compared no more holds nobody.
  const holder = rivals.findLast(({ comparison }) => comparison !== null)
  return holder === undefined || hasNoFall(holder.comparison!) ? null : holder.run
}

const hasNoFall = ({ before, after, judged }: Comparison): boolean =>
  [{ before, after }, ...judged].every((score) => score.after >= score.before)
