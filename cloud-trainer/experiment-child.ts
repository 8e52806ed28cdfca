/** The process of one run: `experiment-child.ts FOLDER VARIANT SEED`, started by the experiment and ended with it. */
import '#shared/platform/preflight.ts'
import { setPriority } from 'node:os'
import { runExperimentRun } from './experiment-run.ts'

const [folder, variant, seed] = process.argv.slice(2)
if (folder === undefined || variant === undefined || seed === undefined) {
  throw new Error('usage: experiment-child.ts FOLDER VARIANT SEED')
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())
// Whoever started this is gone: the same command goes on from the last checkpoint.
const orphaned = (): never => process.exit(1)
process.on('disconnect', orphaned)

try {
  setPriority(10)
} catch {
  // Not every system lets a process step back; the run then competes.
}

try {
  await runExperimentRun({
    folder,
    variant,
    seed: Number(seed),
    signal: stopping.signal,
    onProgress: (progress) => process.send?.(progress),
  })
  process.exitCode = 0
} catch (cause) {
  if (!stopping.signal.aborted) console.error(cause)
  process.exitCode = 1
}
process.off('disconnect', orphaned)
process.disconnect?.()
