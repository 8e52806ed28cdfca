/**
 * How often the gate errs, by simulation: made-up models whose true scores are known answer made-up observations, and the
 * gate's own functions judge them. Logits are normal: macro AUC = Φ(signal ÷ √2).
 */
import { type ResampledChange, resampleChange, simultaneousChanges } from '#cloud/evaluation/paired-change.ts'
import { type Comparison, heldTo, judgeModel, type Rival, type SubsetChange } from '#cloud/gate.ts'
import { type Random, randomStream } from '#shared/std/random.ts'

export type World = {
  /** Labelled ones of the validation part. */
  readonly observations: number
  /** Correlation of two models' errors on one subset: models that go on from one another err alike. */
  readonly alike: number
  readonly tolerance: number
  readonly resamples: number
}

/** True AUC of each subset (our choice: from a weak sensor alone to all of them). */
const SUBSETS = [0.62, 0.66, 0.7, 0.74, 0.78, 0.8, 0.82, 0.85]
/** Share of observations with each taxon (our choice: common to rare). */
const PREVALENCES = [0.4, 0.3, 0.2, 0.15, 0.1, 0.1]
const LABELS = PREVALENCES.length
/** Correlation of the errors of subsets, which share modalities and observations. */
const SUBSETS_ALIKE = 0.5

/** True AUC by subset. */
type Model = { readonly aucs: readonly number[]; readonly logits: readonly Float32Array[] }

/** The inverse of Φ by bisection: slow and plain. */
const quantileOf = (p: number): number => {
  let [low, high] = [-8, 8]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (cumulative(middle) < p) low = middle
    else high = middle
  }
  return low
}

/** Φ by Simpson's rule over 200 steps. */
const cumulative = (x: number): number => {
  const step = x / 200
  let sum = 0
  for (let i = 0; i <= 200; i++) {
    const weight = i === 0 || i === 200 ? 1 : i % 2 === 1 ? 4 : 2
    sum += weight * Math.exp(-((i * step) ** 2) / 2)
  }
  return 0.5 + (sum * step) / 3 / Math.sqrt(2 * Math.PI)
}

/** Observations, and models that answer them. */
const openWorld = (world: World, random: Random) => {
  const size = world.observations * LABELS
  const labels = Float32Array.from({ length: size }, (_, i) => (random.uniform() < PREVALENCES[i % LABELS]! ? 1 : 0))
  const noise = (): Float32Array => Float32Array.from({ length: size }, () => random.normal())
  const everywhere = noise()
  const common = SUBSETS.map(noise)
  /** A model of these true AUCs whose own errors are new. */
  const model = (aucs: readonly number[]): Model => ({
    aucs,
    logits: aucs.map((auc, s) => {
      const signal = Math.SQRT2 * quantileOf(auc)
      const own = noise()
      return labels.map((y, i) => {
        const shared = Math.sqrt(SUBSETS_ALIKE) * everywhere[i]! + Math.sqrt(1 - SUBSETS_ALIKE) * common[s]![i]!
        return signal * y + Math.sqrt(world.alike) * shared + Math.sqrt(1 - world.alike) * own[i]!
      })
    }),
  })
  const evaluated = PREVALENCES.map((_, c) => c).filter((c) => {
    const column = labels.filter((_, i) => i % LABELS === c)
    return column.includes(1) && column.includes(0)
  })
  const resampled = (before: Model, after: Model, seed: number): readonly ResampledChange[] =>
    SUBSETS.map((_, s) => {
      const answers = ({ logits }: Model) => ({ logits: logits[s]!, labels, count: LABELS, evaluated })
      const options = { task: 'multi-label', seed, resamples: world.resamples } as const
      return resampleChange(answers(before), answers(after), options)
    })
  return { model, resampled }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const comparisonOf = (changes: readonly ResampledChange[], isJoint: boolean): Comparison => {
  const intervals = isJoint ? simultaneousChanges(changes) : changes.flatMap((change) => simultaneousChanges([change]))
  return {
    before: mean(changes.map(({ before }) => before)),
    after: mean(changes.map(({ after }) => after)),
    subsets: [],
    labels: [],
    judged: intervals.map((change, s): SubsetChange => ({ subset: `${s}`, predictions: 100, ...change })),
  }
}

/** How often each rule refused. */
export type Rates = Readonly<Record<'gate' | 'mean' | 'point' | 'singly' | 'proof', number>>

/**
 * Of `trials` new models whose true AUC is `fall` lower on one subset and the same on the others. `mean`: the mean alone;
 * `point`: any subset's fall beyond the tolerance; `singly`: the gate with an interval for each subset by itself;
 * `proof`: unless each interval shows that no more than the tolerance is lost.
 */
export const refusalRates = (world: World, fall: number, trials: number, seed: number): Rates => {
  const refused = { gate: 0, mean: 0, point: 0, singly: 0, proof: 0 }
  const { tolerance } = world
  for (let trial = 0; trial < trials; trial++) {
    const random = randomStream(seed + trial, 'gate')
    const { model, resampled } = openWorld(world, random)
    const lower = random.index(SUBSETS.length)
    const changes = resampled(model(SUBSETS), model(SUBSETS.map((auc, s) => (s === lower ? auc - fall : auc))), trial)
    const joint = comparisonOf(changes, true)
    const judge = (comparison: Comparison): boolean =>
      judgeModel({ average: 0.5 }, [{ role: 'current', run: 1, comparison }], { tolerance }).kind === 'refuse'
    if (judge(joint)) refused.gate++
    if (judge({ ...joint, judged: [] })) refused.mean++
    if (joint.judged.some(({ before, after }) => before - after > tolerance)) refused.point++
    if (judge(comparisonOf(changes, false))) refused.singly++
    if (joint.judged.some(({ low }) => low < -tolerance)) refused.proof++
  }
  const share = (count: number): number => count / trials
  return {
    gate: share(refused.gate),
    mean: share(refused.mean),
    point: share(refused.point),
    singly: share(refused.singly),
    proof: share(refused.proof),
  }
}

export type Drift = {
  /** True loss on the subset after all attempts, mean over the chains. */
  readonly lost: number
  /** The most that a chain lost. */
  readonly most: number
  /** Share of the attempts that were refused. */
  readonly refused: number
}

/**
 * Chains of ten new models, each `step` below the current one on one subset: what is lost in the end when new models are
 * held to a reference as well, and when they are held to the current one alone.
 */
export const drift = (
  world: World,
  step: number,
  chains: number,
  { hasReference, seed }: { readonly hasReference: boolean; readonly seed: number },
): Drift => {
  const lost: number[] = []
  let refused = 0
  for (let chain = 0; chain < chains; chain++) {
    const { model, resampled } = openWorld(world, randomStream(seed + chain, 'drift'))
    const compare = (before: Model, after: Model) => comparisonOf(resampled(before, after, chain), true)
    let [current, reference] = [model(SUBSETS), null as Model | null]
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const next = model(current.aucs.map((auc, s) => (s === DRIFTING ? auc - step : auc)))
      const rivals: readonly Rival[] = [
        { role: 'current', run: 1, comparison: compare(current, next) },
        ...(reference === null ? [] : [{ role: 'reference', run: 0, comparison: compare(reference, next) } as const]),
      ]
      if (judgeModel({ average: 0.5 }, rivals, { tolerance: world.tolerance }).kind === 'refuse') {
        refused++
        continue
      }
      const holder = heldTo(rivals)
      if (hasReference) reference = holder === null ? null : holder === 1 ? current : reference
      current = next
    }
    lost.push(SUBSETS[DRIFTING]! - current.aucs[DRIFTING]!)
  }
  return { lost: mean(lost), most: Math.max(...lost), refused: refused / (chains * ATTEMPTS) }
}

const ATTEMPTS = 10
const DRIFTING = 6
