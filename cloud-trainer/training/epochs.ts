/** The course of a run, whatever it learns: steps and epochs, checkpoints, progress, and when it ends. */
import { type CheckpointFolder, openCheckpoints } from './checkpoint-folder.ts'
import type { EpochRecord, TrainProgress } from './progress.ts'
import { fromCheckpoint, type Run, type RunPlan, startRun, toCheckpoint } from './run.ts'

export type OpenedRun = {
  readonly run: Run
  /** Whether it goes on from a checkpoint. */
  readonly isResumed: boolean
  readonly save: () => Promise<void>
}

/** `folder`: of its checkpoints, null for none; `first`: the weights of a run that has no checkpoint yet. */
export const openRun = async (folder: string | null, plan: RunPlan, first: () => Float32Array): Promise<OpenedRun> => {
  const checkpoints: CheckpointFolder | null = folder === null ? null : await openCheckpoints(folder)
  const newest = checkpoints?.newest ?? null
  const run = newest === null ? startRun(plan, first()) : fromCheckpoint(plan, newest)
  return {
    run,
    isResumed: newest !== null,
    save: async () => checkpoints?.write(toCheckpoint(plan, run)),
  }
}

export type Course = {
  readonly epochs: number
  /** Epochs without a better selection score after which the run stops; null: never. */
  readonly patience: number | null
  readonly stepsPerEpoch: number
  /** Before the first step of an epoch, and again where one goes on from a checkpoint. */
  readonly prepareEpoch?: () => Promise<void>
  /** Takes one step and returns its loss. */
  readonly step: () => Promise<number>
  readonly endEpoch: () => Promise<EpochRecord>
  readonly signal: AbortSignal | undefined
  readonly onProgress: (progress: TrainProgress) => void
}

/**
 * Until the last epoch, or until patience ends. An aborted run writes its checkpoint after the step at hand and throws
 * the signal's reason.
 */
export const runEpochs = async ({ run, save }: OpenedRun, course: Course): Promise<void> => {
  const { stepsPerEpoch, signal, onProgress } = course
  const eta = timeLeft(run, course)
  while (!isFinished(run, course)) {
    await course.prepareEpoch?.()
    while (run.epoch.steps < stepsPerEpoch) {
      if (signal?.aborted) {
        await save()
        signal.throwIfAborted()
      }
      const loss = await course.step()
      onProgress({ kind: 'step', epoch: run.records.length + 1, step: run.epoch.steps, loss, etaMs: eta() })
    }
    const record = await course.endEpoch()
    await save()
    onProgress({ kind: 'epoch', record, etaMs: eta() })
  }
}

const isFinished = ({ records, best }: Run, { epochs, patience }: Course): boolean =>
  records.length >= epochs || (patience !== null && best !== null && records.length - best.epoch >= patience)

/** Milliseconds that the planned rest takes at the speed since this call. */
const timeLeft = (run: Run, { epochs, stepsPerEpoch }: Course): (() => number) => {
  const startedMs = performance.now()
  const done = () => run.records.length * stepsPerEpoch + run.epoch.steps
  const before = done()
  return () => ((performance.now() - startedMs) / Math.max(1, done() - before)) * (epochs * stepsPerEpoch - done())
}
