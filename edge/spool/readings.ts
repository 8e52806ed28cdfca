/** Readings as rows, each once. Bodies are wire JSON, written by this program alone, so their form is trusted. */
import type { Reading } from '#shared/domain/reading.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import { assert } from '#shared/std/assert.ts'
import { fromWireReading, toWireReading } from '#shared/wire/reading-codec.ts'

type StoredReading = {
  /** Rises in order of arrival. */
  readonly number: number
  /** Wire JSON. */
  readonly body: string
}

export type ReadingTable = {
  /** Null: this sensor has sent this id before. To be called within a transaction. */
  readonly insert: (reading: Reading, receivedAtMs: number) => StoredReading | null
  /** In the given order. */
  readonly read: (numbers: readonly number[]) => readonly Reading[]
  readonly bodyOf: (number: number) => string
}

export const openReadingTable = (database: Database, node: string): ReadingTable => {
  const isKnown = database.prepare<[string, string], 1>('SELECT 1 FROM reading WHERE sensor = ? AND id = ?').pluck()
  const insert = database.prepare<[string, string, number, string]>(
    'INSERT INTO reading (sensor, id, received_at_ms, body) VALUES (?, ?, ?, ?)',
  )
  const see = database.prepare<[string, number]>(
    `INSERT INTO sensor_seen (sensor, readings, last_received_at_ms) VALUES (?, 1, ?)
     ON CONFLICT DO UPDATE SET readings = readings + 1, last_received_at_ms = excluded.last_received_at_ms`,
  )
  const body = database.prepare<[number], string>('SELECT body FROM reading WHERE number = ?').pluck()

  const bodyOf = (number: number): string => {
    const text = body.get(number)
    assert(text !== undefined, 'a reading that was stored is there', { number })
    return text
  }
  const read = (number: number): Reading => {
    const reading = fromWireReading(node, JSON.parse(bodyOf(number)))
    assert(reading.ok, 'a stored reading can be read back', { number })
    return reading.value
  }

  return {
    insert: (reading, receivedAtMs) => {
      if (isKnown.get(reading.sensor, reading.id) !== undefined) return null
      const text = JSON.stringify(toWireReading(reading))
      const { lastInsertRowid } = insert.run(reading.sensor, reading.id, receivedAtMs, text)
      see.run(reading.sensor, receivedAtMs)
      return { number: Number(lastInsertRowid), body: text }
    },
    read: (numbers) => numbers.map(read),
    bodyOf,
  }
}

export type SensorSeen = { readonly sensor: string; readonly readings: number; readonly lastReceivedAtMs: number }

export const listSensorsSeen = (database: Database): readonly SensorSeen[] =>
  database
    .prepare<[], SensorSeen>(
      'SELECT sensor, readings, last_received_at_ms AS lastReceivedAtMs FROM sensor_seen ORDER BY sensor',
    )
    .all()
