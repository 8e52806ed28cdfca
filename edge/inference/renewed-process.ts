/**
 * A model's process that is replaced, between two answers, by a fresh one when it has grown: what ONNX Runtime's
 * memory arena has taken it never gives back. Callers don't notice; while the fresh one loads, the old one answers.
 */
import type { Log } from '#shared/platform/log.ts'
import type { InferenceProcess } from './inference-process.ts'

export type RenewedOptions = {
  readonly open: () => Promise<InferenceProcess>
  /** Resident memory above which a process is replaced. */
  readonly ceilingBytes: number
  readonly log: Log
}

export type RenewedProcess = AsyncDisposable &
  Pick<InferenceProcess, 'run'> & {
    /** Of the process that answers now. */
    readonly pid: () => number
  }

/** A ceiling below what a fresh process needs must not replace it for ever. */
const LEAST_GROWTH = 1.5
const RETRY_MS = 60_000

export const openRenewed = async ({ open, ceilingBytes, log }: RenewedOptions): Promise<RenewedProcess> => {
  let current = await open()
  let fresh: InferenceProcess | null = null
  let renewal: Promise<void> | null = null
  let notBeforeMs = 0
  let ended: Promise<unknown> = Promise.resolve()

  const hasGrown = (): boolean =>
    current.memoryBytes() > Math.max(ceilingBytes, LEAST_GROWTH * current.loadedBytes) &&
    performance.now() >= notBeforeMs

  const renew = async (): Promise<void> => {
    const memoryBytes = current.memoryBytes()
    try {
      fresh = await open()
      log.info({ memoryBytes, ceilingBytes, pid: fresh.pid }, 'inference process grew, a fresh one takes over')
    } catch (cause) {
      notBeforeMs = performance.now() + RETRY_MS
      log.warn({ memoryBytes, ceilingBytes, err: cause }, 'inference process grew, but no fresh one starts')
    } finally {
      renewal = null
    }
  }

  const swap = (): void => {
    // A process that failed is its owner's to replace.
    if (fresh === null || current.failure() !== null) return
    ended = Promise.all([ended, current[Symbol.asyncDispose]()])
    current = fresh
    fresh = null
  }

  return {
    pid: () => current.pid,
    run: async (feeds, output) => {
      swap()
      const logits = await current.run(feeds, output)
      if (fresh === null && hasGrown()) renewal ??= renew()
      return logits
    },
    [Symbol.asyncDispose]: async () => {
      await renewal
      await Promise.all([ended, current[Symbol.asyncDispose](), fresh?.[Symbol.asyncDispose]()])
    },
  }
}
