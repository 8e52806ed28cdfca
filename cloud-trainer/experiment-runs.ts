/** Does the runs of an experiment, as many at once as are allowed, each in a process of its own. */
import type { PlannedRun } from './experiment/plan.ts'
import type { RunProgress } from './experiment-run.ts'
import { type Forked, startForked } from './forked.ts'

export type RunsOptions = {
  readonly folder: string
  /** Processes at once. */
  readonly jobs: number
  readonly signal: AbortSignal
  readonly onEpochs: (run: PlannedRun, epochs: number) => void
  readonly onEnd: (run: PlannedRun, how: string) => void
}

const ENTRY = new URL('./experiment-child.ts', import.meta.url)
const DONE = 'exit code 0'

/**
 * Resolves with the runs that failed, when all others have their results. Aborted, it lets every run write its
 * checkpoint and throws the signal's reason.
 */
export const doRuns = async (runs: readonly PlannedRun[], options: RunsOptions): Promise<readonly PlannedRun[]> => {
  const { folder, jobs, signal, onEpochs, onEnd } = options
  const under = new Set<Forked>()
  const stop = (): void => {
    for (const run of under) void run.stop()
  }
  const failed: PlannedRun[] = []
  const queue = runs.values()
  const work = async (): Promise<void> => {
    for (const run of queue) {
      if (signal.aborted) return
      const forked = startForked<RunProgress>(ENTRY, [folder, run.variant, `${run.seed}`], ({ epochs }) =>
        onEpochs(run, epochs),
      )
      under.add(forked)
      const how = await forked.ended
      under.delete(forked)
      if (signal.aborted) return
      if (how !== DONE) failed.push(run)
      onEnd(run, how)
    }
  }
  signal.addEventListener('abort', stop)
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, work))
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
  return failed
}
