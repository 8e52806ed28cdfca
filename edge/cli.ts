/** `understory edge run|status|doctor`: the shell of a field station. */
import { parseArgs } from 'node:util'
import { openLog } from '#shared/platform/log.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { ConfigError } from '#shared/std/config-error.ts'
import { helpText } from '#shared/std/help-text.ts'
import { readConfig, type StationConfig } from './config.ts'
import { examine } from './doctor.ts'
import { startStation } from './station.ts'
import { formatStatus, readStatus } from './status.ts'

const HELP = `understory edge – a field station

  understory edge run    --config FILE [--events]   observe, predict, store and send until SIGINT or SIGTERM
  understory edge status --config FILE [--json]     what it has done and what waits, read beside the running station
  understory edge doctor --config FILE [--json]     check Node, native modules, disk, clock, broker and cloud

  --events   one JSON object per line on standard output for what happens; logs go to standard error
  --json     one JSON object instead of text

Exit codes: 0 done, 1 failed, 2 wrong use, 78 wrong configuration.
`

const OPTIONS = {
  config: { type: 'string' },
  events: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Flags = { readonly events: boolean; readonly json: boolean }
type Command = (config: StationConfig, flags: Flags) => Promise<number>

const print = (text: string): void => void process.stdout.write(text)
const complain = (text: string): void => void process.stderr.write(text)

const run: Command = async (config, { events }) => {
  const log = openLog('edge', config.logLevel)
  const ended = Promise.withResolvers<number>()
  const stop = () => ended.resolve(0)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  // A parent with a channel to this process, or a reader of its events, takes it along when it goes.
  process.on('disconnect', stop)
  process.channel?.unref()
  process.stdout.on('error', stop)
  await using _station = await startStation(config, {
    log,
    onBroken: () => ended.resolve(1), // logged by the intake; whoever supervises this process starts it again
    ...(events ? { onEvent: (event) => print(`${JSON.stringify(event)}\n`) } : {}),
  })
  return await ended.promise
}

const status: Command = async (config, { json }) => {
  const found = await readStatus(config, systemClock.nowMs())
  if (found === null) {
    complain(`${config.stateFolder} holds no station yet: start it with "understory edge run".\n`)
    return 1
  }
  print(json ? `${JSON.stringify(found)}\n` : formatStatus(found))
  return 0
}

const doctor: Command = async (config, { json }) => {
  const checks = await examine(config, { log: openLog('doctor', 'silent'), nowMs: systemClock.nowMs() })
  const isFine = checks.every(({ verdict }) => verdict !== 'fail')
  if (json) print(`${JSON.stringify({ ok: isFine, checks })}\n`)
  else {
    for (const { name, verdict, found, advice } of checks) {
      print(`${verdict.padEnd(5)} ${name.padEnd(14)} ${found}\n`)
      if (advice !== undefined) print(`${' '.repeat(21)}${advice}\n`)
    }
  }
  return isFine ? 0 : 1
}

const COMMANDS: Readonly<Record<string, Command>> = { run, status, doctor }

const wrongUse = (message: string): number => {
  complain(`understory edge: ${message}\n\n${HELP}`)
  return 2
}

/** Gives the exit code. */
export const edgeCommand = async (args: string[]): Promise<number> => {
  const parsed = parse(args)
  if (typeof parsed === 'string') return wrongUse(parsed)
  const { values, positionals } = parsed
  const [word, ...more] = positionals
  if (values.help || word === 'help') {
    print(helpText(HELP))
    return 0
  }
  const command = word !== undefined && Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  if (command === undefined) return wrongUse(word === undefined ? 'say what to do' : `there is no command "${word}"`)
  if (more.length > 0) return wrongUse(`"${more[0]}" is too much`)
  if (values.config === undefined) return wrongUse('--config FILE is missing')
  try {
    return await command(await readConfig(values.config), values)
  } catch (cause) {
    return explain(cause)
  }
}

const parse = (args: string[]) => {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true })
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

const explain = (cause: unknown): number => {
  const hint = cause instanceof Error && 'hint' in cause ? `\n${cause.hint}` : ''
  const reason = cause instanceof Error && cause.cause !== undefined ? ` (${String(cause.cause)})` : ''
  complain(`understory edge: ${cause instanceof Error ? cause.message : String(cause)}${reason}${hint}\n`)
  return cause instanceof ConfigError ? 78 : 1
}
