/** What a station has done and what waits, read from its database beside the running station. */
import type { Database } from '#shared/platform/sqlite.ts'
import type { StationConfig } from './config.ts'
import { readOnlyOrNull } from './database.ts'
import { freeBytesOf } from './health/disk-checks.ts'
import { countObservations } from './observing/observations.ts'
import { readIdentity } from './outbox/identity.ts'
import { readOutboxDepth } from './outbox/table.ts'
import { readCounters } from './spool/counters.ts'
import { listSensorsSeen } from './spool/readings.ts'
import { listRejected } from './spool/rejected.ts'
import { activeOf, bundleOf, previousOf } from './update/state.ts'
import { loadState } from './update/tables.ts'

export type StationStatus = Awaited<ReturnType<typeof readStatus>>

const REJECTED = 'rejected:'
const LAST_REJECTED = 5

/** Null when the station was never started. */
export const readStatus = async (config: StationConfig, nowMs: number) => {
  const database = readOnlyOrNull(config.stateFolder)
  if (database === null) return null
  try {
    const freeBytes = await freeBytesOf(config.stateFolder)
    // One snapshot, so that the numbers fit each other.
    return database.transaction(() => ({ ...snapshot(database, config, nowMs), disk: { freeBytes } }))()
  } finally {
    database.close()
  }
}

const snapshot = (database: Database, config: StationConfig, nowMs: number) => {
  const counters = readCounters(database)
  const rejected = Object.entries(counters).flatMap(([name, count]) =>
    name.startsWith(REJECTED) ? [[name.slice(REJECTED.length), count] as const] : [],
  )
  const { rows, bytes, oldestAtMs } = readOutboxDepth(database)
  const { slot, attempt } = loadState(database, config)
  const seen = new Map(listSensorsSeen(database).map((sensor) => [sensor.sensor, sensor]))
  const sensors = new Set([...config.sensors.map(({ id }) => id), ...seen.keys()])
  return {
    node: config.node,
    ...readIdentity(database),
    messagesIn: (counters.readings ?? 0) + (counters.duplicates ?? 0) + rejected.reduce(sumMessages, 0),
    readings: counters.readings ?? 0,
    duplicates: counters.duplicates ?? 0,
    readingsWithoutTime: counters['readings-without-time'] ?? 0,
    ...countObservations(database),
    rejected: Object.fromEntries(rejected),
    rejectedRepeated: counters['rejected-repeated'] ?? 0,
    rejectedEvicted: counters['rejected-evicted'] ?? 0,
    lastRejected: listRejected(database, LAST_REJECTED),
    outbox: { rows, bytes, oldestAgeMs: oldestAtMs === null ? null : nowMs - oldestAtMs },
    bytesUp: counters['bytes-up'] ?? 0,
    rowsUp: counters['rows-up'] ?? 0,
    sensors: [...sensors].sort().map((id) => {
      const sensor = seen.get(id)
      return {
        id,
        readings: sensor?.readings ?? 0,
        lastSampleAgeMs: sensor === undefined ? null : nowMs - sensor.lastReceivedAtMs,
      }
    }),
    model: {
      slot: slot.kind,
      active: activeOf(slot)?.version ?? null,
      previous: previousOf(slot)?.version ?? null,
      update: attempt === null ? null : { state: attempt.kind, version: bundleOf(attempt)?.version ?? null },
    },
  }
}

/** Rows that were too large for a packet are in the same list, but no sensor sent them. */
const sumMessages = (sum: number, [reason, count]: readonly [string, number]): number =>
  reason === 'oversized-row' ? sum : sum + count

export const formatStatus = (status: NonNullable<StationStatus>): string => {
  const list = (entries: Readonly<Record<string, number>>) =>
    Object.entries(entries)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  const { outbox, model } = status
  const age = (ms: number | null) => (ms === null ? 'never' : `${Math.round(ms / 1000)} s ago`)
  const lines = [
    `station       ${status.node}, epoch ${status.epoch}, boot ${status.boot}`,
    `readings      ${status.readings} (${status.duplicates} duplicates, ${status.readingsWithoutTime} without time)`,
    `rejected      ${list(status.rejected)}`,
    `observations  ${status.observations} in ${status.revisions} revisions, ${status.final} final`,
    `predictions   ${status.predictions}, ${status.pending} waiting, ${status.setAside} set aside`,
    `outbox        ${outbox.rows} rows, ${outbox.bytes} bytes, oldest ${age(outbox.oldestAgeMs)}`,
    `sent          ${status.rowsUp} rows, ${status.bytesUp} bytes`,
    `model         ${model.active ?? 'none'} (${model.slot}), before it ${model.previous ?? 'none'}`,
    `update        ${model.update === null ? 'none' : `${model.update.state} ${model.update.version ?? ''}`}`,
    `disk          ${Math.round(status.disk.freeBytes / 1e6)} MB free`,
    ...status.lastRejected.map(({ topic, reason, detail }) => `not taken     ${reason} on ${topic}: ${detail}`),
    ...status.sensors.map(
      ({ id, readings, lastSampleAgeMs }) => `sensor        ${id}: ${readings} readings, last ${age(lastSampleAgeMs)}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}
