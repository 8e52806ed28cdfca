/** The configuration of a valley's station, as a person would write it. */
import type { StationFile } from '#edge/config.ts'
import type { SensorProfile } from '#edge/readings/parse-message.ts'
import { SENSORS } from '#test/simulator/sensor.ts'
import { HOUR_MS, type Station } from '#test/simulator/station.ts'
import { SITE } from '#test/simulator/valley.ts'

export const FAMILY = 'valley'
export const COHORT = 'all'
export const PREFIX = 'understory'

/** Readings come up to six hours late; a window waits for two of them and is reopened for the rest. */
const LATENESS_MS = 2 * HOUR_MS

type Places = { readonly stateFolder: string; readonly broker: string; readonly trustFile: string }

export const stationFile = (station: Station, { stateFolder, broker, trustFile }: Places): StationFile => ({
  schema: 'station/1',
  node: station.node,
  site: SITE,
  prefix: PREFIX,
  cohort: COHORT,
  family: FAMILY,
  stateFolder,
  broker,
  cloud: broker,
  trust: trustFile,
  sensors: SENSORS.map(({ id, modality }) => ({ id, modality, deployment: station.deployment })),
  // The valley's time runs faster than the wall's: what passes is told by the readings.
  window: { ms: HOUR_MS, allowedLatenessMs: LATENESS_MS, time: 'readings' },
  logLevel: 'info',
})

/** What the station's parser knows of its sensors. */
export const sensorProfiles = (station: Station): ReadonlyMap<string, SensorProfile> =>
  new Map(SENSORS.map(({ id, modality }) => [id as string, { id, modality, deployment: station.deployment }]))
