/** The process of one run: `experiment-child.ts FOLDER VARIANT SEED`, started by the experiment and ended with it. */
import '#shared/platform/preflight.ts'
import { runChildTask } from './child-task.ts'
import { runExperimentRun } from './experiment-run.ts'

const [folder, variant, seed] = process.argv.slice(2)
if (folder === undefined || variant === undefined || seed === undefined) {
  throw new Error('usage: experiment-child.ts FOLDER VARIANT SEED')
}
await runChildTask((signal, onProgress) =>
  runExperimentRun({ folder, variant, seed: Number(seed), signal, onProgress }),
)
