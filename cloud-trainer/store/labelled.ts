/** Reads back what a model can learn from: labelled observations, each with the readings it is made of. */
import type { DeploymentId, NodeId, ObservationId, ReadingId, SensorId } from '#shared/domain/ids.ts'
import type { Label } from '#shared/domain/label.ts'
import type { LabelledObservation } from '#shared/domain/labelled-observation.ts'
import type { Observation } from '#shared/domain/observation.ts'
import type { Reading } from '#shared/domain/reading.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import { fromColumns } from './content.ts'

type ObservationRow = {
  node: string
  id: string
  revision: number
  deployment: string
  start_ms: number
  end_ms: number
  final: number
  readings: string
}
type LabelRow = { id: string; observation: string; present: string; absent: string; said_by: string }
type ReadingRow = {
  node: string
  id: string
  sensor: string
  deployment: string
  modality: string
  observed_at_ms: number | null
  observed_at_text: string | null
  clock: string
  content: string
  bytes: Uint8Array | null
  media: string | null
}

/**
 * In order of deployment, window and node, so that the same store gives the same data set. An observation id names
 * a deployment and a window; when two nodes observe one deployment, each gives its own example.
 */
export const readLabelled = (database: Database): readonly LabelledObservation[] => {
  const observations = database.prepare<[], ObservationRow>(
    `SELECT o.* FROM latest_observation l JOIN observation o USING (node, id, epoch, revision)
     WHERE EXISTS (SELECT 1 FROM label WHERE label.observation = l.id)
     ORDER BY o.deployment, o.start_ms, o.node`,
  )
  const labels = database.prepare<[string], LabelRow>('SELECT * FROM label WHERE observation = ? ORDER BY arrival')
  // The deployment guards against a sensor of another deployment that uses the same ids.
  const readings = database.prepare<[string, string, string], ReadingRow>(
    `SELECT * FROM reading WHERE node = ? AND deployment = ? AND id IN (SELECT value FROM json_each(?))
     ORDER BY observed_at_ms, id, sensor`,
  )
  // One snapshot: a message that is taken in meanwhile belongs to the next data set.
  return database.transaction(() =>
    observations.all().map((row) => ({
      observation: toObservation(row),
      readings: readings.all(row.node, row.deployment, row.readings).map(toReading),
      labels: labels.all(row.id).map(toLabel),
    })),
  )()
}

/** How many `readLabelled` would give. */
export const countLabelled = (database: Database): (() => number) => {
  const count = database
    .prepare<[], number>(
      'SELECT count(*) FROM (SELECT DISTINCT observation AS id FROM label) JOIN latest_observation USING (id)',
    )
    .pluck()
  return () => count.get() ?? 0
}

const toObservation = (row: ObservationRow): Observation => ({
  id: row.id as ObservationId,
  node: row.node as NodeId,
  deployment: row.deployment as DeploymentId,
  window: { startMs: row.start_ms, endMs: row.end_ms },
  revision: row.revision,
  final: row.final === 1,
  readings: JSON.parse(row.readings),
})

const toLabel = (row: LabelRow): Label => ({
  id: row.id,
  observation: row.observation as ObservationId,
  present: JSON.parse(row.present),
  absent: JSON.parse(row.absent),
  by: row.said_by,
})

const toReading = (row: ReadingRow): Reading => ({
  id: row.id as ReadingId,
  node: row.node as NodeId,
  sensor: row.sensor as SensorId,
  deployment: row.deployment as DeploymentId,
  modality: row.modality,
  observedAtMs: row.observed_at_ms,
  observedAtText: row.observed_at_text,
  clock: JSON.parse(row.clock),
  content: fromColumns(row),
  media: row.media === null ? null : JSON.parse(row.media),
})
