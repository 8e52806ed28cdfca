/**
 * A consumer that pulls: it works as long as there is work, then sleeps until somebody wakes it. Nothing queues in
 * memory, so there is nothing to overflow; what waits is where the work comes from.
 */
import { setTimeout as sleep } from 'node:timers/promises'

export type PullLoop = AsyncDisposable & {
  /** There may be work. Cheap; calls while it works make it look once more. */
  readonly wake: () => void
}

type PullLoopOptions = {
  /** True: there may be more, so it is called again. A rejection is told to `onFailure` and repeated after a pause. */
  readonly work: (signal: AbortSignal) => Promise<boolean>
  readonly onFailure: (cause: unknown) => void
  readonly firstRetryMs?: number
}

const LONGEST_RETRY_MS = 10_000

/** Starts at once. Disposal waits for the present piece of work, whose signal it aborts. */
export const startPullLoop = ({ work, onFailure, firstRetryMs = 100 }: PullLoopOptions): PullLoop => {
  const stopping = new AbortController()
  let woken = Promise.withResolvers<void>()

  const attempt = async (): Promise<'more' | 'idle' | 'failed'> => {
    try {
      return (await work(stopping.signal)) ? 'more' : 'idle'
    } catch (cause) {
      if (!stopping.signal.aborted) onFailure(cause)
      return 'failed'
    }
  }

  const run = async (): Promise<void> => {
    let retryMs = firstRetryMs
    while (!stopping.signal.aborted) {
      woken = Promise.withResolvers<void>()
      const outcome = await attempt()
      if (outcome === 'idle') await woken.promise
      else if (outcome === 'failed') await Promise.race([sleep(retryMs, undefined, { ref: false }), stopped])
      // Lets sockets be read between two pieces of work.
      else await new Promise((resolve) => setImmediate(resolve))
      retryMs = outcome === 'failed' ? Math.min(retryMs * 2, LONGEST_RETRY_MS) : firstRetryMs
    }
  }

  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()))
  const running = run()
  return {
    wake: () => woken.resolve(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      woken.resolve()
      await running
    },
  }
}
