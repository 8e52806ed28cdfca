/** A peer in another process, asked line by line: it waits passively while we are measured, as we do for it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export type Peer = AsyncDisposable & {
  /** Its first line. */
  readonly greeting: Readonly<Record<string, unknown>>
  readonly ask: (line: string) => Promise<Readonly<Record<string, unknown>>>
}

/** PEER_PYTHON alone if it is set; else the one in the path, and the one that Debian's python3-torch belongs to. */
const candidates = (): readonly string[] =>
  process.env.PEER_PYTHON ? [process.env.PEER_PYTHON] : ['python3', '/usr/bin/python3']

const hasTorch = (python: string): boolean =>
  spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0

/** A Python that can import PyTorch, or null. */
export const pythonWithTorch = (): string | null => candidates().find(hasTorch) ?? null

/** Waiting threads of OpenMP sleep, as ours do; OpenBLAS chooses its kernels for this processor by itself. */
const peerEnvironment = (threads: number): NodeJS.ProcessEnv => {
  const { OPENBLAS_CORETYPE: _, ...rest } = process.env
  return { ...rest, OMP_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}`, OMP_WAIT_POLICY: 'PASSIVE' }
}

const ended = (child: ChildProcess, errors: () => string): Promise<never> =>
  once(child, 'exit').then(([code]) => {
    throw new Error(`the peer ended with ${code}\n${errors()}`)
  })

export const startPeer = async (python: string, args: readonly string[], threads: number): Promise<Peer> => {
  const child = spawn(python, args, { env: peerEnvironment(threads) })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const end = ended(child, () => errors)
  // Whoever asks learns of it; nobody else waits for it.
  end.catch(() => {})
  const next = async (): Promise<Readonly<Record<string, unknown>>> => {
    const line = await Promise.race([lines.next(), end])
    return line.done ? end : JSON.parse(line.value)
  }
  return {
    greeting: await next(),
    ask: (line) => {
      child.stdin.write(`${line}\n`)
      return next()
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}
