/** A model's process as its owner holds it: one request at a time, each with a limit on time and memory. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { assert } from '#shared/std/assert.ts'
import type { TensorFeed } from '#shared/tokens/batch.ts'
import { InferenceError } from './inference-error.ts'
import { type GraphInfo, type LoadRequest, type Provider, parseReply, type Reply, type Request } from './messages.ts'
import { limitProcess, memoryOf } from './process-memory.ts'

export type ProcessOptions = {
  readonly model: LoadRequest['model']
  readonly threads: number
  readonly provider: Provider
  /** From the start of the process until the model is loaded. */
  readonly loadLimitMs: number
  readonly answerLimitMs: number
  /** The process is killed when it is seen to hold more than this. */
  readonly killAboveBytes: number
  /** For a model that isn't trusted yet: what it may take at most, enforced by the system where it can. */
  readonly limits?: { readonly moreBytes: number; readonly cpuSeconds: number }
}

/** [rows, columns], row by row. */
type Logits = { readonly rows: number; readonly columns: number; readonly data: Float32Array }

export type InferenceProcess = AsyncDisposable & {
  readonly pid: number
  readonly graph: GraphInfo
  /** Resident memory once the model was loaded, and after the latest answer. */
  readonly loadedBytes: number
  readonly memoryBytes: () => number
  /**
   * Waits for nothing else: a second call before the first has settled is a bug. Throws InferenceError: `output`
   * leaves the process usable, after `crashed` and `timeout` every call throws the same.
   */
  readonly run: (feeds: Readonly<Record<string, TensorFeed>>, output: string) => Promise<Logits>
  readonly failure: () => InferenceError | null
}

const WATCH_MS = 100
const ENDING_MS = 2000
const TAIL_CHARACTERS = 500

/**
 * Throws InferenceError `load` when the model can't be loaded, for whatever reason. The signal ends the process at
 * once, then and later; the call under way throws `closed`.
 */
export const startProcess = async (options: ProcessOptions, signal?: AbortSignal): Promise<InferenceProcess> => {
  const conversation = converse(options.killAboveBytes)
  const abort = () => conversation.fail(new InferenceError('closed', 'no longer wanted'))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    if (signal?.aborted) abort()
    const deadline = performance.now() + options.loadLimitMs
    await conversation.reply(null, options.loadLimitMs)
    if (options.limits) await limitProcess(conversation.pid, options.limits)
    const { model, threads, provider } = options
    const left = Math.max(0, deadline - performance.now())
    const loaded = await conversation.reply({ kind: 'load', model, threads, provider }, left)
    if (loaded.kind === 'refused') throw new InferenceError('load', loaded.reason)
    if (loaded.kind !== 'loaded') throw new InferenceError('load', `an unexpected reply: ${loaded.kind}`)
    return {
      pid: conversation.pid,
      graph: loaded.graph,
      loadedBytes: loaded.memoryBytes,
      memoryBytes: conversation.memoryBytes,
      failure: conversation.failure,
      run: async (feeds, output) =>
        logitsOf(await conversation.reply({ kind: 'run', feeds, output }, options.answerLimitMs)),
      [Symbol.asyncDispose]: async () => {
        signal?.removeEventListener('abort', abort)
        await conversation.end()
      },
    }
  } catch (cause) {
    signal?.removeEventListener('abort', abort)
    conversation.fail(new InferenceError('closed', 'it did not load'))
    await conversation.end()
    if (cause instanceof InferenceError && cause.code !== 'crashed' && cause.code !== 'timeout') throw cause
    throw new InferenceError('load', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

const logitsOf = (reply: Reply): Logits => {
  if (reply.kind === 'refused') throw new InferenceError('output', reply.reason)
  if (reply.kind !== 'answered') throw new InferenceError('output', `an unexpected reply: ${reply.kind}`)
  const { data, shape } = reply
  const [rows, columns] = shape
  if (data.length !== rows * columns) {
    throw new InferenceError('output', `${data.length} numbers for ${rows} × ${columns} logits`)
  }
  if (!data.every(Number.isFinite)) throw new InferenceError('output', 'logits that are not finite')
  return { rows, columns, data }
}

type Conversation = {
  readonly pid: number
  readonly memoryBytes: () => number
  readonly failure: () => InferenceError | null
  /** Sends a request, if there is one, and waits for the next reply. */
  readonly reply: (request: Request | null, limitMs: number) => Promise<Reply>
  /** Kills the process and has the call under way and all later ones throw this, or what failed first. */
  readonly fail: (error: InferenceError) => void
  readonly end: () => Promise<void>
}

const converse = (killAboveBytes: number): Conversation => {
  const child = fork(new URL('./child.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: [],
    env: childEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const tail = tailOf(child)
  let failure: InferenceError | null = null
  let memoryBytes = 0
  let waiting: PromiseWithResolvers<Reply> | null = null

  const fail = (error: InferenceError): void => {
    failure ??= error
    // SIGTERM would wait for JavaScript, which a busy native run never returns to.
    child.kill('SIGKILL')
    waiting?.reject(failure)
  }
  const watch = (): void => {
    const held = memoryOf(child.pid ?? -1)?.residentBytes ?? 0
    if (held > killAboveBytes) fail(new InferenceError('crashed', `it took ${held} bytes of memory`))
  }
  child.on('error', (cause) => fail(new InferenceError('crashed', 'the process could not be started', { cause })))
  // 'close' comes after the last of its standard error, 'exit' may not.
  child.on('close', (code, signal) =>
    fail(new InferenceError('crashed', `the process ended (${signal ?? code})${tail()}`)),
  )
  child.on('message', (message) => {
    const reply = parseReply(message)
    if (reply === null) return fail(new InferenceError('crashed', 'the process sent what is no reply'))
    memoryBytes = reply.memoryBytes
    waiting?.resolve(reply)
  })

  const reply = async (request: Request | null, limitMs: number): Promise<Reply> => {
    assert(waiting === null, 'one request at a time')
    if (failure) throw failure
    waiting = Promise.withResolvers<Reply>()
    const limit = setTimeout(
      () => fail(new InferenceError('timeout', `no answer within ${Math.round(limitMs)} ms`)),
      limitMs,
    )
    const watching = setInterval(watch, WATCH_MS)
    try {
      if (request !== null) {
        child.send(request, (cause) => {
          if (cause) fail(new InferenceError('crashed', 'the process takes no requests', { cause }))
        })
      }
      return await waiting.promise
    } finally {
      waiting = null
      clearTimeout(limit)
      clearInterval(watching)
    }
  }

  return {
    pid: child.pid ?? -1,
    memoryBytes: () => memoryBytes,
    failure: () => failure,
    reply,
    fail,
    end: async () => {
      failure ??= new InferenceError('closed', 'the model is closed')
      if (hasEnded(child)) return
      const ended = once(child, 'exit')
      // A process between two requests ends by itself when the channel closes.
      if (child.connected) child.disconnect()
      if (waiting !== null) child.kill('SIGKILL')
      const late = new AbortController()
      const force = sleep(ENDING_MS, null, { signal: late.signal }).then(
        () => child.kill('SIGKILL'),
        () => {}, // ended in time
      )
      await ended
      late.abort()
      await force
    },
  }
}

const hasEnded = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

/** The end of what a process writes on its standard error, for the reason of its death. */
const tailOf = (child: ChildProcess): (() => string) => {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-TAIL_CHARACTERS)
  })
  return () => (text === '' ? '' : `: ${text.trim()}`)
}
