/** The health message of a station (schema health/1). Ages are null for sensors that have never reported. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { StationConfig } from './config.ts'
import { readOutboxSpan } from './outbox/table.ts'
import { listSensorsSeen } from './spool/readings.ts'

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 1000))

export const heartbeat = (database: Database, { sensors }: Pick<StationConfig, 'sensors'>, nowMs: number) => {
  const { rows, oldestAtMs } = readOutboxSpan(database)
  const ages = new Map<string, number | null>(sensors.map(({ id }) => [id, null]))
  for (const { sensor, lastReceivedAtMs } of listSensorsSeen(database)) {
    ages.set(sensor, seconds(nowMs - lastReceivedAtMs))
  }
  return {
    schema: 'health/1',
    clock: { source: 'host' },
    outbox: { depth: rows, oldest_unsent_s: oldestAtMs === null ? null : seconds(nowMs - oldestAtMs) },
    last_sample_age_s: Object.fromEntries(ages),
  } as const
}
