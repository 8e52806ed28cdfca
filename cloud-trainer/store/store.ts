/** The cloud's memory: one SQLite file, from which everything the stations sent can be read back. */
import type { LabelledObservation } from '#shared/domain/labelled-observation.ts'
import { openDatabase, openReadOnly } from '#shared/platform/sqlite.ts'
import type { Intake } from '#shared/wire/intake.ts'
import { openCounters } from './counters.ts'
import { countLabelled, readLabelled } from './labelled.ts'
import { openQuarantine, type Quarantine } from './quarantine.ts'
import { CLOUD_MIGRATIONS } from './schema.ts'
import { prepareTakeIn, type Taken } from './take-in.ts'
import { prepareTraffic, type SubsetTraffic, type TrafficQuery } from './traffic.ts'

type EpochState = {
  readonly node: string
  readonly epoch: string
  readonly upTo: number
  readonly lastSeenMs: number
}

export type CloudStore = Disposable & {
  /** All or nothing, durable on return. Throws what SQLite throws; nothing has been taken in then. May be repeated. */
  readonly takeIn: (group: readonly Intake[], nowMs: number) => Taken
  readonly labelledObservations: () => readonly LabelledObservation[]
  /** How many those are. */
  readonly labelledCount: () => number
  readonly traffic: (query: TrafficQuery) => readonly SubsetTraffic[]
  /** Since the file was made; `rejected:<reason>` counts each reason. */
  readonly counts: () => Readonly<Record<string, number>>
  readonly epochs: () => readonly EpochState[]
  readonly rejected: Quarantine['list']
}

const QUARANTINE_BYTES = 64 << 20

export const openStore = (
  file: string,
  { quarantineBytes = QUARANTINE_BYTES }: { readonly quarantineBytes?: number } = {},
): CloudStore => {
  const database = openDatabase(file, CLOUD_MIGRATIONS)
  const counters = openCounters(database)
  const quarantine = openQuarantine(database, counters, quarantineBytes)
  const epochs = database.prepare<[], EpochState>(
    'SELECT node, name AS epoch, up_to AS upTo, last_seen_ms AS lastSeenMs FROM epoch ORDER BY number',
  )
  return {
    takeIn: prepareTakeIn({ database, counters, quarantine }),
    labelledObservations: () => readLabelled(database),
    labelledCount: countLabelled(database),
    traffic: prepareTraffic(database),
    counts: counters.all,
    epochs: () => epochs.all(),
    rejected: quarantine.list,
    [Symbol.dispose]: () => void database.close(),
  }
}

/** What a store in another process's hands can be learned from; throws what SQLite throws when there is none. */
export const readStore = (file: string): readonly LabelledObservation[] => {
  const database = openReadOnly(file)
  try {
    return readLabelled(database)
  } finally {
    database.close()
  }
}
