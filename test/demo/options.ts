/** What `understory demo` is asked to do. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { err, ok, type Result } from '#shared/std/result.ts'
import { MOST_STATIONS } from '#test/simulator/valley.ts'

export const DEMO_HELP = `understory demo – the whole loop on a simulated valley (what npm start runs)

An embedded broker, a seeded valley of stations with weather, sound, pictures and place, one edge process for each
station, and one cloud process that learns from what they send and rolls its models out to them.

  --seed N       of the valley, the models and all else that is random (default 1)
  --stations N   1 to ${MOST_STATIONS} (default 3)
  --state DIR    where everything is kept; a second start goes on from it (default .understory/demo)
  --once         stop after the second model is rolled out, with a summary
  --json         with --once: the last line of standard output is the summary as one JSON object
  --help

Ctrl-C stops all processes in good order. Exit codes: 0 done, 1 failed, 2 wrong use.
`

export type DemoOptions = {
  readonly seed: number
  readonly stations: number
  readonly stateFolder: string
  readonly once: boolean
  readonly json: boolean
}

const wholeNumber = (name: string, text: string, least: number, most: number): Result<number, string> => {
  const value = Number(text)
  return text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most
    ? ok(value)
    : err(`--${name}: "${text}" is not a whole number from ${least} to ${most}`)
}

/** `help` stands for --help. The error is for people. */
export const parseDemoOptions = (args: readonly string[]): Result<DemoOptions | 'help', string> => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: '1' },
        stations: { type: 'string', default: '3' },
        state: { type: 'string', default: '.understory/demo' },
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return ok('help')
    const seed = wholeNumber('seed', values.seed, 0, 2 ** 31 - 1)
    if (!seed.ok) return seed
    const stations = wholeNumber('stations', values.stations, 1, MOST_STATIONS)
    if (!stations.ok) return stations
    if (values.state === '') return err('--state: name a folder')
    if (values.json && !values.once) return err('--json goes with --once')
    return ok({
      seed: seed.value,
      stations: stations.value,
      stateFolder: resolve(values.state),
      once: values.once,
      json: values.json,
    })
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause)) // parseArgs throws on words it doesn't know
  }
}
