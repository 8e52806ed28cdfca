/** A training run in a process of its own, which ends with this one. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '#shared/platform/preflight.ts'
import type { JobProgress } from './job.ts'

export type JobProcess = {
  /** Resolves when it has ended, however that came about: its outcome, if there is one, is on disk. */
  readonly ended: Promise<string>
  /** Lets it write a checkpoint, and kills it if that takes too long. */
  readonly stop: () => Promise<void>
}

const STOP_LIMIT_MS = 10_000
const ENTRY = fileURLToPath(new URL('./job-child.ts', import.meta.url))

export const startJob = (
  runsFolder: string,
  number: number,
  onProgress: (progress: JobProgress) => void,
): JobProcess => {
  const child = fork(ENTRY, [runsFolder, `${number}`], {
    env: childEnvironment(),
    execArgv: [],
    // Standard output is for events.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.on('message', (message) => onProgress(message as JobProgress))
  const ended = once(child, 'exit').then(([code, signal]) => (signal === null ? `exit code ${code}` : `${signal}`))
  return {
    ended,
    stop: async () => {
      child.kill('SIGTERM')
      const limit = new AbortController()
      const late = delay(STOP_LIMIT_MS, 'late', { signal: limit.signal }).catch(() => 'aborted')
      if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL')
      limit.abort()
      await ended
    },
  }
}
