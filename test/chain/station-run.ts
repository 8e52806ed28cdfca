/** The edge's part in the chain: a real station process that installs the model by its own update path and predicts. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { type OwnProcess, type ProcessEvent, startProcess } from '#test/demo/process.ts'
import { startMosquitto } from '#test/support/mosquitto.ts'
import { startCloud } from './cloud.ts'
import type { PlannedMessage } from './plan.ts'
import { type Sent, sendRounds } from './send.ts'
import { stationFile } from './station-file.ts'
import { readCounts, readPredictions, type StationCounts, type StoredPrediction } from './stored-predictions.ts'

export type StationRunOptions = {
  readonly folder: string
  readonly bundleFolder: string
  readonly rounds: Iterable<readonly PlannedMessage[]>
  readonly onProgress: (progress: StationProgress) => void
  readonly signal: AbortSignal
}

export type StationProgress =
  | { readonly kind: 'installing' }
  | { readonly kind: 'installed'; readonly version: ModelVersion }
  | { readonly kind: 'sent'; readonly messages: number }
  | { readonly kind: 'waiting'; readonly observations: number }

export type StationRun = {
  readonly version: ModelVersion
  readonly sent: Sent
  readonly counts: StationCounts
  readonly predictions: readonly StoredPrediction[]
}

class ChainError extends Error {
  readonly code = 'chain'
}

const INSTALL_LIMIT_MS = 120_000
/** For the number of waiting observations to fall at all. */
const STALL_MS = 60_000
const CHECK_MS = 250

export const runStation = async (options: StationRunOptions): Promise<StationRun> => {
  const { folder, rounds, onProgress } = options
  const stateFolder = join(folder, 'station')
  await mkdir(stateFolder, { recursive: true })
  const { signal, fail } = failable(options.signal)
  await using stack = new AsyncDisposableStack()
  const broker = stack.use(await startMosquitto())
  const cloud = stack.use(await startCloud(join(folder, 'cloud'), broker.url))
  onProgress({ kind: 'installing' })
  const configFile = join(folder, 'station.json')
  const config = stationFile({ stateFolder, broker: broker.url, trustFile: cloud.trustFile })
  await writeFile(configFile, JSON.stringify(config))

  const watch = watchModel(fail)
  const logFile = join(folder, 'station.log')
  const station = stack.adopt(
    startProcess({
      name: 'station',
      args: ['edge', 'run', '--config', configFile, '--events'],
      logFile,
      onEvent: watch.see,
      onLost: (exit) => fail(new ChainError(`the station has ended (${exit}); its log is ${logFile}`)),
    }),
    async (started: OwnProcess) => void (await started.stop()),
  )
  await orAborted(station.event('ready'), signal)
  const version = await cloud.publish(options.bundleFolder, Date.now())
  await orAborted(watch.until(version), AbortSignal.any([signal, AbortSignal.timeout(INSTALL_LIMIT_MS)]))
  onProgress({ kind: 'installed', version })

  const onSent = (messages: number) => onProgress({ kind: 'sent', messages })
  const sent = await sendRounds({ broker: broker.url, rounds, onSent, signal })
  await untilPredicted(stateFolder, signal, onProgress)
  await station.stop()
  return { version, sent, counts: readCounts(stateFolder), predictions: readPredictions(stateFolder) }
}

/** A signal that failures of our own abort too, with their reason. */
const failable = (outer: AbortSignal) => {
  const own = new AbortController()
  return { signal: AbortSignal.any([outer, own.signal]), fail: (reason: Error) => own.abort(reason) }
}

const orAborted = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Which model answers, by the station's own words. */
const watchModel = (fail: (reason: Error) => void) => {
  let running: unknown = null
  let wanted: { readonly version: ModelVersion; readonly resolve: () => void } | null = null
  return {
    see: ({ kind, ...fields }: ProcessEvent): void => {
      if (kind === 'update' && fields.phase === 'rolled_back') fail(new ChainError('the station has refused the model'))
      if (kind !== 'model') return
      running = fields.version
      if (running === wanted?.version) wanted?.resolve()
    },
    until: (version: ModelVersion): Promise<void> =>
      new Promise((resolve) => {
        wanted = { version, resolve }
        if (running === version) resolve()
      }),
  }
}

const untilPredicted = async (
  stateFolder: string,
  signal: AbortSignal,
  onProgress: (progress: StationProgress) => void,
): Promise<void> => {
  let least = Infinity
  let sinceMs = performance.now()
  for (;;) {
    const { waiting } = readCounts(stateFolder)
    onProgress({ kind: 'waiting', observations: waiting })
    if (waiting === 0) return
    if (waiting < least) {
      least = waiting
      sinceMs = performance.now()
    } else if (performance.now() - sinceMs > STALL_MS) {
      throw new ChainError(`${waiting} observations have waited for a prediction for ${STALL_MS / 1000} s`)
    }
    await delay(CHECK_MS, undefined, { signal })
  }
}
