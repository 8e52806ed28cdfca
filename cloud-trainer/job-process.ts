/** A training run in a process of its own, which ends with this one. */
import { type Forked, startForked } from './forked.ts'
import type { JobProgress } from './job.ts'

/** Its outcome, if there is one, is on disk when it has ended. */
export type JobProcess = Forked

export const startJob = (runsFolder: string, number: number, onProgress: (progress: JobProgress) => void): JobProcess =>
  startForked(new URL('./job-child.ts', import.meta.url), [runsFolder, `${number}`], onProgress)
