/** What a child process of the trainer does with itself: steps back, ends with its parent, stops when asked. */
import { setPriority } from 'node:os'

/** Runs the task of this process and sets its exit code: 0 done, 1 failed or stopped. */
export const runChildTask = async (
  task: (signal: AbortSignal, tell: (progress: object) => void) => Promise<unknown>,
): Promise<void> => {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())
  // Whoever started this is gone, perhaps killed: its next life goes on from the last checkpoint.
  const orphaned = (): never => process.exit(1)
  process.on('disconnect', orphaned)
  try {
    // Taking in what stations send comes first.
    setPriority(10)
  } catch {
    // Not every system lets a process step back; training then competes.
  }
  try {
    await task(stopping.signal, (progress) => process.send?.(progress))
    process.exitCode = 0
  } catch (cause) {
    if (!stopping.signal.aborted) console.error(cause)
    process.exitCode = 1
  }
  process.off('disconnect', orphaned)
  process.disconnect?.()
}
