/** The process that trains: `job-child.ts RUNS_FOLDER NUMBER`, started by the service and ended with it. */
import '#shared/platform/preflight.ts'
import { setPriority } from 'node:os'
import { runJob } from './job.ts'

const [runsFolder, number] = process.argv.slice(2)
if (runsFolder === undefined || number === undefined) throw new Error('usage: job-child.ts RUNS_FOLDER NUMBER')

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())
// The service is gone, perhaps killed: its next life starts this run again from the last checkpoint.
const orphaned = (): never => process.exit(1)
process.on('disconnect', orphaned)

try {
  // Taking in what stations send comes first.
  setPriority(10)
} catch {
  // Not every system lets a process step back; training then competes.
}

try {
  await runJob({
    runsFolder,
    number: Number(number),
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
