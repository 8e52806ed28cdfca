/** The processes of the demo: one cloud, and an edge for each station. */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Station } from '#test/simulator/station.ts'
import { type OwnProcess, type ProcessEvent, startProcess } from './process.ts'
import { COHORT, FAMILY, PREFIX, stationFile } from './station-file.ts'

/** Labelled observations before the first model, and new ones before the next. */
const FIRST_AFTER = 400
const RETRAIN_AFTER = 600
const EPOCHS = 30
const MINIMUM_POSITIVES = 10

export type FleetOptions = {
  readonly folder: string
  readonly seed: number
  readonly broker: string
  readonly stations: readonly Station[]
  readonly onCloud: (event: ProcessEvent) => void
  readonly onStation: (node: string, event: ProcessEvent) => void
  readonly onLost: (name: string, exit: string) => void
  readonly stop: AbortSignal
}

export type Fleet = AsyncDisposable & {
  readonly cloudReady: ProcessEvent
  readonly configOf: (node: string) => string
}

export const cloudFolder = (folder: string): string => join(folder, 'cloud')

/** Null when it was stopped before all were ready. */
export const startFleet = async (options: FleetOptions): Promise<Fleet | null> => {
  const { folder, seed, broker, stations, onLost, stop } = options
  if (stop.aborted) return null
  const stopped = once(stop, 'abort').then(() => null)
  await using stack = new AsyncDisposableStack()
  const logs = join(folder, 'logs')
  await mkdir(logs, { recursive: true })
  const start = (name: string, args: readonly string[], onEvent: (event: ProcessEvent) => void): OwnProcess => {
    const started = startProcess({
      name,
      args,
      onEvent,
      logFile: join(logs, `${name}.log`),
      onLost: (exit) => onLost(name, exit),
    })
    stack.defer(async () => void (await started.stop()))
    return started
  }

  const cloud = start(
    'cloud',
    [
      ...['trainer', 'serve', '--events', '--broker', broker, '--state', cloudFolder(folder)],
      ...['--prefix', PREFIX, '--family', FAMILY, '--cohort', COHORT, '--seed', `${seed}`, '--epochs', `${EPOCHS}`],
      ...['--first-after-labels', `${FIRST_AFTER}`, '--retrain-after-labels', `${RETRAIN_AFTER}`],
      ...['--minimum-positives', `${MINIMUM_POSITIVES}`],
    ],
    options.onCloud,
  )
  const cloudReady = await Promise.race([cloud.event('ready'), stopped])
  if (cloudReady === null) return null
  const trustFile = String(cloudReady.trustFile)

  const configOf = (node: string): string => join(folder, 'stations', `${node}.json`)
  await mkdir(join(folder, 'stations'), { recursive: true })
  for (const station of stations) {
    const stateFolder = join(folder, 'edges', station.node)
    const config = stationFile(station, { stateFolder, broker, trustFile })
    await writeFile(configOf(station.node), `${JSON.stringify(config, null, 2)}\n`)
  }
  const edges = stations.map(({ node }) =>
    start(node, ['edge', 'run', '--events', '--config', configOf(node)], (event) => options.onStation(node, event)),
  )
  const edgesReady = Promise.all(edges.map((edge) => edge.event('ready')))
  edgesReady.catch(() => {}) // a station that is stopped is never ready
  if ((await Promise.race([edgesReady, stopped])) === null) return null
  const moved = stack.move()
  return { cloudReady, configOf, [Symbol.asyncDispose]: () => stopAll(moved, [cloud, ...edges]) }
}

/** All at once: they don't wait for each other. */
const stopAll = async (stack: AsyncDisposableStack, processes: readonly OwnProcess[]): Promise<void> => {
  await Promise.all(processes.map((started) => started.stop()))
  await stack.disposeAsync()
}
