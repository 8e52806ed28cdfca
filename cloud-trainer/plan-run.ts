/** When the service trains. Pure. */
import type { Run } from './run-record.ts'

export type Occasion = 'first-labels' | 'new-labels' | 'clock'

export type PlanOptions = {
  readonly isTraining: boolean
  /** Models to publish at most; null: no limit. */
  readonly maxModels: number | null
  readonly firstAfterLabels: number
  readonly retrainAfterLabels: number
}

type PublishedRun = Run & { readonly state: Extract<Run['state'], { readonly kind: 'published' }> }

/** The last run that stations were told of, or null. */
export const currentRun = (runs: readonly Run[]): PublishedRun | null =>
  runs.findLast((run): run is PublishedRun => run.state.kind === 'published') ?? null

/** The last published run that nothing has been lost against since, or null. */
export const referenceRun = (runs: readonly Run[]): number | null => {
  const current = currentRun(runs)
  if (current === null) return null
  return (current.outcome?.kind === 'trained' ? current.outcome.heldTo : null) ?? current.number
}

/**
 * Why to train now, or null. `labelled`: labelled observations in the store. After a run that was refused or failed,
 * as many new ones are waited for as after one that wasn't: the same data would end the same way.
 */
export const planRun = (
  runs: readonly Run[],
  labelled: number,
  clockStruck: boolean,
  options: PlanOptions,
): Occasion | null => {
  if (!options.isTraining) return null
  const published = runs.filter(({ state }) => state.kind === 'published').length
  if (options.maxModels !== null && published >= options.maxModels) return null
  const last = runs.at(-1)
  if (clockStruck && labelled > (last?.labelled ?? 0)) return 'clock'
  if (last === undefined) return labelled >= options.firstAfterLabels ? 'first-labels' : null
  return labelled - last.labelled >= options.retrainAfterLabels ? 'new-labels' : null
}
