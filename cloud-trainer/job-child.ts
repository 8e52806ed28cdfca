/** The process that trains: `job-child.ts RUNS_FOLDER NUMBER`, started by the service and ended with it. */
import '#shared/platform/preflight.ts'
import { runChildTask } from './child-task.ts'
import { runJob } from './job.ts'

const [runsFolder, number] = process.argv.slice(2)
if (runsFolder === undefined || number === undefined) throw new Error('usage: job-child.ts RUNS_FOLDER NUMBER')
await runChildTask((signal, onProgress) => runJob({ runsFolder, number: Number(number), signal, onProgress }))
