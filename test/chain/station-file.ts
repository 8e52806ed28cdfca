/** The configuration of the chain's station, as a person would write it. */
import type { StationFile } from '#edge/config.ts'

export const PREFIX = 'understory'
export const SITE = 'chain'
export const NODE = 'station'
export const COHORT = 'chain'
export const FAMILY = 'chain'

const HOUR_MS = 3_600_000

export const stationFile = (places: {
  readonly stateFolder: string
  readonly broker: string
  readonly trustFile: string
}): StationFile => ({
  schema: 'station/1',
  node: NODE,
  site: SITE,
  prefix: PREFIX,
  cohort: COHORT,
  family: FAMILY,
  stateFolder: places.stateFolder,
  broker: places.broker,
  cloud: places.broker,
  trust: places.trustFile,
  // Every site is a deployment of its own, named by its messages.
  acceptUnknownSensors: true,
  // A replay: a site's next round is what ends its last one.
  window: { ms: HOUR_MS, allowedLatenessMs: 0, time: 'readings' },
  logLevel: 'info',
})
