/** `trainer serve`: the service until it is told to stop. */
import { openLog } from '#shared/platform/log.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { helpText } from '#shared/std/help-text.ts'
import { parseCommand } from './command-line.ts'
import { DEFAULT_TRAFFIC_WEEKS, SERVE_OPTIONS, serviceConfigOf } from './config.ts'
import { DEFAULT_TOLERANCE } from './gate.ts'
import { DEFAULT_TRAFFIC_SHARE } from './judged-subsets.ts'
import { RECIPE_HELP } from './recipe.ts'
import { startService } from './service.ts'
import type { ServiceEvent } from './service-event.ts'

const SERVE_HELP = `understory trainer serve – takes in what stations send, trains, publishes and rolls out

  --broker URL         mqtt://host:1883 or mqtts://host:8883
  --state FOLDER       for the database, keys, releases and runs; a second start goes on from it
  --prefix NAME        first level of all topics (default understory)
  --family NAME        model family (default valley)
  --cohort NAME        of the stations that new models are for (default all)
  --first-after-labels N    labelled observations before the first training (default 200)
  --retrain-after-labels N  new ones before the next (default 200)
  --cron EXPR          also train at these times, if there are new labels
  --zone ZONE          IANA time zone of --cron (default UTC)
  --max-models N       train no more once so many are published
  --tolerance X        most that a new model's AUC may lie below the current one's, and below the last one's
                       that nothing was lost against: in the mean and, unless it may be chance, on each
                       subset of the inputs with real traffic (default ${DEFAULT_TOLERANCE})
  --traffic-share X    real traffic is this share of the last weeks' predictions (default ${DEFAULT_TRAFFIC_SHARE})
  --traffic-weeks N    as many weeks, the running one included (default ${DEFAULT_TRAFFIC_WEEKS})
  --minimum-positives N  taxa present in fewer observations are left out (default 5)
  --no-train           take in and roll out only
  --log-level LEVEL    debug, info (default), warn, error or silent; logs go to standard error
${RECIPE_HELP}
  --events             standard output tells what happens, one JSON object a line
  --help
`

export const serve = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const parsed = parseCommand(args, SERVE_OPTIONS, ['no-train', 'events'])
  if (parsed === 'help') {
    process.stdout.write(helpText(SERVE_HELP))
    return 0
  }
  const { values, flags } = parsed
  const config = serviceConfigOf(values, !flags.has('no-train'))
  const log = openLog('cloud', config.logLevel)
  const emit = flags.has('events')
    ? (event: ServiceEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`)
    : (): void => {}
  await using service = await startService({ config, emit, clock: systemClock, log })
  await Promise.race([service.broken, aborted(signal)])
  return 0
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
