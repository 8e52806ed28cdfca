/**
 * A station reports to nobody but its owner: no process that runs models leaves what ONNX Runtime's telemetry would
 * leave (a device id and a queue of events in the user's cache folder). CI variables switch telemetry off, too, so
 * the processes get an environment without any; the control shows that the test would notice.
 */
import { type ChildProcess, type ForkOptions, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Request } from '#edge/inference/messages.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import { createModelBundle, type ModelBundle } from '../support/model-bundle.ts'
import { ROOT } from './source-files.ts'

let bundle: ModelBundle

beforeAll(async () => {
  bundle = await createModelBundle()
})
afterAll(() => bundle[Symbol.asyncDispose]())

/** What a process leaves in an empty home, by path from there. */
const leftBy = async (run: (options: ForkOptions) => Promise<void>): Promise<readonly string[]> => {
  const home = await mkdtemp(join(tmpdir(), 'understory-home-'))
  try {
    await run({
      cwd: ROOT,
      env: { HOME: home, XDG_CACHE_HOME: join(home, 'cache') },
      execArgv: [],
      serialization: 'advanced',
    })
    return (await readdir(home, { recursive: true })).sort()
  } finally {
    await rm(home, { recursive: true })
  }
}

const nextMessage = async (child: ChildProcess): Promise<unknown> => (await once(child, 'message'))[0]

/** A forked process that does not outlive a failed expectation. */
const forked = (file: string, args: readonly string[], options: ForkOptions) => {
  const child = fork(join(ROOT, file), args, options)
  return { child, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}

const CONTROL = `
  const ort = require(${JSON.stringify(createRequire(import.meta.url).resolve('onnxruntime-node'))})
  ort.InferenceSession.create(process.argv[1]).then((session) => session.release())`

test.runIf(process.platform === 'linux')('without our preflight, ONNX Runtime leaves a device id', async () => {
  const left = await leftBy(async (options) => {
    const control = spawn(process.execPath, ['-e', CONTROL, bundle.modelFile], { ...options, stdio: 'ignore' })
    expect(await once(control, 'close')).toEqual([0, null])
  })
  expect(left.filter((path) => path.endsWith('deviceid'))).toHaveLength(1)
})

test('the inference process leaves nothing, even when its environment does not forbid it', async () => {
  const left = await leftBy(async (options) => {
    using process = forked('edge/inference/child.ts', [], options)
    const { child } = process
    const ask = (request: Request): Promise<unknown> => {
      child.send(request)
      return nextMessage(child)
    }
    expect(await nextMessage(child)).toMatchObject({ kind: 'started' })
    const load = { kind: 'load', model: bundle.modelFile, threads: 1, provider: 'cpu' } as const
    expect(await ask(load)).toMatchObject({ kind: 'loaded' })
    const feeds = packInferenceBatch(bundle.layout, 'drop', bundle.cases)
    expect(await ask({ kind: 'run', feeds, output: 'logits' })).toMatchObject({ kind: 'answered', shape: [12, 3] })
    child.disconnect()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
  expect(left).toEqual([])
})

test('a process that starts an inference process leaves nothing', async () => {
  const left = await leftBy(async (options) => {
    const args = [bundle.modelFile, JSON.stringify(bundle.manifest)]
    using owner = forked('test/support/inference-owner-child.ts', args, options)
    expect(await nextMessage(owner.child)).toEqual({ answered: true })
    owner.child.send('end')
    expect(await once(owner.child, 'exit')).toEqual([0, null])
  })
  expect(left).toEqual([])
})

test('a process that trains and predicts in worker threads leaves nothing', async () => {
  const left = await leftBy(async (options) => {
    using owner = forked('test/support/training-owner-child.ts', [], options)
    expect(await nextMessage(owner.child)).toEqual({ answered: true })
    expect(await once(owner.child, 'exit')).toEqual([0, null])
  })
  expect(left).toEqual([])
})
