/** A training run as a process of its own, to be killed. Arguments: a folder for checkpoints. */
import '#shared/platform/preflight.ts'
import { train } from '#cloud/training/train.ts'
import { runToKill } from '../support/run-to-kill.ts'

const [, , folder = ''] = process.argv
await train({ ...runToKill(folder), onProgress: ({ kind }) => void process.send?.(kind) })
