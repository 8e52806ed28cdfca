/**
 * Worker threads that answer requests, one at a time and in order. What a thread throws fails the request; a thread
 * that ends fails all its requests, and those still to come.
 */
import './preflight.ts' // threads copy this thread's environment when they start
import { parentPort, type Transferable, Worker } from 'node:worker_threads'

export type Thread<Request, Answer> = {
  /** `transfer`: buffers that move instead of being copied; they are empty here afterwards. */
  readonly ask: (request: Request, transfer?: readonly Transferable[]) => Promise<Answer>
  /** Ends the thread when it has answered what it was asked. */
  readonly close: () => Promise<void>
}

class ThreadError extends Error {
  readonly code: 'failed' | 'ended'
  constructor(code: ThreadError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ThreadError'
    this.code = code
  }
}

type Reply<Answer> = { readonly answer: Answer } | { readonly error: unknown }
const CLOSE = 'close'

/** Starts `entry` (a file that calls `answerRequests`). `data` is copied, memory shared between threads excepted. */
export const openThread = <Request, Answer>(entry: URL, data: unknown): Thread<Request, Answer> => {
  const worker = new Worker(entry, { workerData: data, execArgv: [] })
  const waiting: PromiseWithResolvers<Answer>[] = []
  let ended: ThreadError | null = null
  const fail = (error: ThreadError) => {
    ended ??= error
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  worker.on('message', (reply: Reply<Answer>) => {
    const request = waiting.shift()
    if ('answer' in reply) request?.resolve(reply.answer)
    else request?.reject(new ThreadError('failed', 'a worker thread failed', { cause: reply.error }))
  })
  worker.on('error', (cause) => fail(new ThreadError('ended', 'a worker thread died', { cause })))
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      fail(new ThreadError('ended', `a worker thread has ended (code ${code})`))
      resolve()
    })
  })
  return {
    ask: (request, transfer = []) => {
      if (ended) return Promise.reject(ended)
      const answer = Promise.withResolvers<Answer>()
      waiting.push(answer)
      worker.postMessage({ request }, transfer)
      return answer.promise
    },
    close: async () => {
      worker.postMessage(CLOSE)
      await exited
    },
  }
}

/**
 * The other end, called once in the thread's entry file. `transfer` names buffers of an answer that move
 * to the asking thread. `close` runs when the thread is told to end.
 */
export const answerRequests = <Request, Answer>(
  answer: (request: Request) => Promise<Answer>,
  options: {
    readonly transfer?: (answer: Answer) => readonly Transferable[]
    readonly close?: () => Promise<void>
  } = {},
): void => {
  const port = parentPort
  if (port === null) throw new ThreadError('failed', 'this file runs in a worker thread')
  const reply = async ({ request }: { readonly request: Request }): Promise<void> => {
    try {
      const value = await answer(request)
      port.postMessage({ answer: value }, options.transfer?.(value) ?? [])
    } catch (error) {
      port.postMessage({ error })
    }
  }
  let turn: Promise<void> = Promise.resolve()
  port.on('message', (message: typeof CLOSE | { readonly request: Request }) => {
    turn = turn.then(async () => {
      if (message !== CLOSE) return reply(message)
      await options.close?.()
      port.close()
    })
  })
}
