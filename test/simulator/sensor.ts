/** The sensors that every station carries: one for each modality, reporting once an hour. */
import type { SensorId } from '#shared/domain/ids.ts'
import type { Modality } from './posterior.ts'

export type SensorKind = {
  readonly id: SensorId
  readonly modality: Modality
  /** Minute of the hour in which it reads. */
  readonly minute: number
}

const sensor = (id: string, modality: Modality, minute: number): SensorKind => ({
  id: id as SensorId,
  modality,
  minute,
})

export const SENSORS: readonly SensorKind[] = [
  sensor('gps', 'location', 2),
  sensor('recorder', 'audio', 10),
  sensor('camera', 'camera', 25),
  sensor('weather', 'weather', 50),
  sensor('weather-log', 'weather-series', 55),
]
