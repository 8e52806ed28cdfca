/** A process of ours that tells what happens as JSON lines on its standard output. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { childEnvironment } from '#shared/platform/preflight.ts'

export const COMMAND = join(import.meta.dirname, '../../scripts/understory.ts')

export type ProcessEvent = { readonly kind: string; readonly [field: string]: unknown }

export type OwnProcess = {
  readonly name: string
  /** Resolves with the first event that satisfies the condition, past ones included; rejects when the process ends. */
  readonly event: (kind: string) => Promise<ProcessEvent>
  /** Asks it to end, and ends it when it does not within the limit. Resolves with its exit code, null for a signal. */
  readonly stop: (limitMs?: number) => Promise<number | null>
}

export type ProcessOptions = {
  readonly name: string
  readonly args: readonly string[]
  /** Its standard error goes here. */
  readonly logFile: string
  readonly onEvent: (event: ProcessEvent) => void
  /** It ended without being asked to. */
  readonly onLost: (exit: string) => void
}

class ProcessEndedError extends Error {
  readonly code = 'process-ended'
}

const parseEvent = (line: string): ProcessEvent | null => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string'
      ? (value as ProcessEvent)
      : null
  } catch {
    return null // a line that is no event is no news
  }
}

export const startProcess = ({ name, args, logFile, onEvent, onLost }: ProcessOptions): OwnProcess => {
  const log = openSync(logFile, 'a')
  const child: ChildProcess = spawn(process.execPath, [COMMAND, ...args], {
    // The channel is its lifeline: it ends when this process is gone, whatever the reason.
    stdio: ['ignore', 'pipe', log, 'ipc'],
    // Ctrl-C at the terminal is for this process, which ends the others in order.
    detached: true,
    env: childEnvironment(),
  })
  closeSync(log)
  const seen = new Map<string, ProcessEvent>()
  const waiting = new Map<string, PromiseWithResolvers<ProcessEvent>>()
  let isStopping = false

  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => {
    const event = parseEvent(line)
    if (event === null) return
    if (!seen.has(event.kind)) seen.set(event.kind, event)
    waiting.get(event.kind)?.resolve(event)
    waiting.delete(event.kind)
    onEvent(event)
  })
  const exited = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => {
    const exit = signal === null ? `exit code ${code}` : `${signal}`
    for (const { reject } of waiting.values())
      reject(new ProcessEndedError(`${name} ended (${exit}); its log is ${logFile}`))
    waiting.clear()
    if (!isStopping) onLost(exit)
    return typeof code === 'number' ? code : null
  })

  return {
    name,
    event: (kind) => {
      const known = seen.get(kind)
      if (known !== undefined) return Promise.resolve(known)
      const wait = waiting.get(kind) ?? Promise.withResolvers<ProcessEvent>()
      waiting.set(kind, wait)
      return wait.promise
    },
    stop: async (limitMs = 15_000) => {
      isStopping = true
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const limit = new AbortController()
      const late = delay(limitMs, 'late' as const, { signal: limit.signal }).catch(() => 'late' as const)
      if ((await Promise.race([exited, late])) === 'late') child.kill('SIGKILL')
      limit.abort()
      return exited
    },
  }
}
