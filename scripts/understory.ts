#!/usr/bin/env node
/** The command `understory`: sends each word to the side that knows it. */
import '#shared/platform/preflight.ts'
import { helpText } from '#shared/std/help-text.ts'

const HELP = `understory – a streaming edge pipeline for field sensors, with a cloud trainer

  understory demo                      the whole loop on a simulated valley (what npm start runs)
  understory chain --data FOLDER       train on real data, send its test sites through an edge, compare
  understory edge run|status|doctor    a field station
  understory trainer train|pretrain|evaluate|export|experiment|insight|serve
                                       the cloud side

Each has --help. Exit codes: 0 done, 1 failed, 2 wrong use, 78 wrong configuration or Node version.
`

type Command = (args: string[]) => Promise<number>

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  edge: async () => (await import('#edge/cli.ts')).edgeCommand,
  trainer: async () => (await import('#cloud/cli.ts')).trainerCommand,
  demo: async () => (await import('#test/demo/cli.ts')).demoCommand,
  chain: async () => (await import('#test/chain/cli.ts')).chainCommand,
}

const main = async ([word, ...rest]: readonly string[]): Promise<number> => {
  if (word === undefined || word === '--help' || word === 'help') {
    process.stdout.write(helpText(HELP))
    return word === undefined ? 2 : 0
  }
  const load = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (load === undefined) {
    process.stderr.write(`understory: there is no command "${word}".\n\n${helpText(HELP)}`)
    return 2
  }
  const command = await load()
  return command(rest)
}

process.exitCode = await main(process.argv.slice(2))
