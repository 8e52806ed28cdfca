/** `understory trainer …`: the cloud side's commands, and what becomes of their errors. */
import { constants } from 'node:os'
import { helpText } from '#shared/std/help-text.ts'
import { UsageError } from './command-line.ts'
import { evaluateModel } from './evaluate-command.ts'
import { compareStrategies } from './experiment-command.ts'
import { explainModel } from './insight-command.ts'
import { pretrainModel } from './pretrain-command.ts'
import { serve } from './serve-command.ts'
import { exportModel, trainModel } from './train-command.ts'

const HELP = `understory trainer – the cloud side

  trainer train       data to a model's bundle
  trainer pretrain    data without labels to an encoder that training starts from
  trainer evaluate    a bundle's score on every subset of its inputs
  trainer export      the bundle of a run that was stopped
  trainer experiment  strategies compared over seeds, on every subset, with a report
  trainer insight     what a model's answers rest on: modalities, bands, years, tokens
  trainer serve       the service: takes in, trains, publishes, rolls out

Each has --help. Exit codes: 0 done, 1 failed, 2 wrong use, 78 wrong configuration; stopped by a signal, 128 and its number.
`

type Command = (args: readonly string[], signal: AbortSignal) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = {
  train: trainModel,
  pretrain: pretrainModel,
  evaluate: evaluateModel,
  export: exportModel,
  experiment: compareStrategies,
  insight: explainModel,
  serve,
}

/** Runs one command and returns the process's exit code. */
export const trainerCommand = async ([word, ...args]: string[]): Promise<number> => {
  if (word === undefined || word === '--help' || word === 'help') {
    process.stdout.write(helpText(HELP))
    return word === undefined ? 2 : 0
  }
  const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  if (command === undefined) {
    process.stderr.write(`understory trainer: there is no command "${word}".\n\n${helpText(HELP)}`)
    return 2
  }
  const stopping = new AbortController()
  let stoppedBy: NodeJS.Signals | null = null
  const stop = (signal: NodeJS.Signals): void => {
    stoppedBy ??= signal
    stopping.abort()
  }
  const orphaned = (): void => stop('SIGTERM')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  // Whoever started us with a channel, or reads what we print, and is gone can't ask us to stop.
  process.on('disconnect', orphaned)
  process.stdout.on('error', orphaned)
  try {
    return await command(args, stopping.signal)
  } catch (cause) {
    if (stoppedBy !== null && stopping.signal.reason === cause) return 128 + constants.signals[stoppedBy]
    return tell(word, cause)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    process.off('disconnect', orphaned)
    process.stdout.off('error', orphaned)
  }
}

const WRONG_CONFIGURATION = 78

/** Codes of errors that a person mends in the configuration, keys or state folder. */
const CONFIGURATION_CODES: readonly unknown[] = ['config', 'key-file', 'database']

const tell = (word: string, cause: unknown): number => {
  const write = (text: string): void => void process.stderr.write(text)
  if (cause instanceof UsageError) {
    write(`understory trainer ${word}: ${cause.message}\nTry understory trainer ${word} --help.\n`)
    return 2
  }
  const { code, hint, isKnown } = describe(cause)
  for (let error = cause, lead = `understory trainer ${word}: `; error instanceof Error; error = error.cause) {
    write(`${lead}${isKnown ? error.message : (error.stack ?? error.message)}\n`)
    lead = '  because: '
  }
  if (hint !== null) write(`${hint}\n`)
  return CONFIGURATION_CODES.includes(code) ? WRONG_CONFIGURATION : 1
}

/** Our own errors have a literal code and speak for themselves; of others the stack is told as well. */
const describe = (
  cause: unknown,
): { readonly code: unknown; readonly hint: string | null; readonly isKnown: boolean } => {
  if (!(cause instanceof Error)) return { code: null, hint: null, isKnown: false }
  const code: unknown = Reflect.get(cause, 'code')
  const hint: unknown = Reflect.get(cause, 'hint')
  const isKnown = typeof code === 'string' && code !== 'invariant'
  return { code, hint: typeof hint === 'string' ? hint : null, isKnown }
}
