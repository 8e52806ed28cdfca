/** `understory demo`, which npm start runs. */
import { helpText } from '#shared/std/help-text.ts'
import { DEMO_HELP, parseDemoOptions } from './options.ts'
import { runDemo } from './run.ts'
import { openScreen } from './screen.ts'
import { formatSummary } from './summary.ts'

export const demoCommand = async (args: string[]): Promise<number> => {
  const parsed = parseDemoOptions(args)
  if (!parsed.ok) {
    process.stderr.write(`understory demo: ${parsed.error}\n\n${DEMO_HELP}`)
    return 2
  }
  if (parsed.value === 'help') {
    process.stdout.write(helpText(DEMO_HELP))
    return 0
  }
  const options = parsed.value
  // Standard output is for the machine when the machine asked.
  const screen = openScreen(options.json ? process.stderr : process.stdout)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  try {
    const summary = await runDemo(options, screen, stop.signal)
    screen.close()
    if (summary === null) {
      screen.line('stopped; a second start goes on from here')
      return 0
    }
    process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : formatSummary(summary))
    return summary.lost === 0 && summary.duplicated === 0 ? 0 : 1
  } catch (cause) {
    screen.close()
    process.stderr.write(`understory demo: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    return 1
  }
}
