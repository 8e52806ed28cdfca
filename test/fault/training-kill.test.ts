/** kill -9 of a training run at random steps: what goes on from its checkpoints ends with the same bits. */
import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { train } from '#cloud/training/train.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { randomStream } from '#shared/std/random.ts'
import { runToKill } from '../support/run-to-kill.ts'

const CHILD = fileURLToPath(new URL('training-child.ts', import.meta.url))
const SEED = 20261124

/** Resolves when the process is gone: killed after so many steps, or at its end. */
const runAndKill = (folder: string, steps: number): Promise<'killed' | 'ended'> =>
  new Promise((resolve, reject) => {
    const child = fork(CHILD, [folder], { env: childEnvironment(), execArgv: [] })
    let done = 0
    child.on('message', (kind) => {
      if (kind === 'step' && ++done === steps) child.kill('SIGKILL')
    })
    child.on('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve('killed')
      else if (code === 0) resolve('ended')
      else reject(new Error(`the run ended with ${code ?? signal}`))
    })
  })

test('a killed run is resumed to the bits of an uninterrupted one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understory-kill-'))
  try {
    const random = randomStream(SEED, 'kills')
    for (let round = 0; round < 3; round++) {
      // More than an epoch's ten steps, so that each life gets further than the last checkpoint.
      expect(await runAndKill(folder, 12 + random.index(20))).toBe('killed')
    }
    let resumedFrom = 0
    const resumed = await train({
      ...runToKill(folder),
      onProgress: (progress) => {
        if (progress.kind === 'resumed') resumedFrom = progress.epoch
      },
    })
    expect(resumedFrom).toBeGreaterThan(3)
    const straight = await train(runToKill(null))
    expect(resumed.weights).toEqual(straight.weights)
    expect(resumed.epochs.map(({ scores, loss }) => [scores, loss])).toEqual(
      straight.epochs.map(({ scores, loss }) => [scores, loss]),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})
