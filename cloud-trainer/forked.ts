/** Long work in a process of its own, which ends with this one. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '#shared/platform/preflight.ts'

export type Forked = {
  /** Resolves when it has ended, however that came about: "exit code 0", or the signal. What it made is on disk. */
  readonly ended: Promise<string>
  /** Lets it write a checkpoint, and kills it if that takes too long. */
  readonly stop: () => Promise<void>
}

const STOP_LIMIT_MS = 10_000

/** `entry`: of the file that the process runs. Its standard output is thrown away: ours is for results. */
export const startForked = <Message>(
  entry: URL,
  args: readonly string[],
  onMessage: (message: Message) => void,
): Forked => {
  const child = fork(fileURLToPath(entry), args, {
    env: childEnvironment(),
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.on('message', (message) => onMessage(message as Message))
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
