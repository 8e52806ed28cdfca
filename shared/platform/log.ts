import { pino } from 'pino'

/** One door to logging: JSON lines on standard error, so standard output stays for results. */
export type Log = {
  readonly debug: (values: object, message: string) => void
  readonly info: (values: object, message: string) => void
  readonly warn: (values: object, message: string) => void
  readonly error: (values: object, message: string) => void
  readonly child: (values: Record<string, unknown>) => Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export const openLog = (name: string, level: LogLevel = 'info'): Log =>
  pino({ name, level, base: { pid: process.pid, name } }, pino.destination({ dest: 2, sync: true }))

export const silentLog = (): Log => openLog('silent', 'silent')
