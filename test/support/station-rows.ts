/** Rows as a station sends them, for tests of the cloud. */

import type { DeploymentId, NodeId, ReadingId, SensorId } from '#shared/domain/ids.ts'
import type { Reading } from '#shared/domain/reading.ts'
import type { WireBody, WireRow } from '#shared/wire/envelope.ts'
import { toWireReading } from '#shared/wire/reading-codec.ts'

export const HOUR_MS = 3_600_000

export const exampleReading = (changes: Partial<Reading> = {}): Reading => ({
  id: 'r1' as ReadingId,
  node: 'n1' as NodeId,
  sensor: 'weather' as SensorId,
  deployment: 'd1' as DeploymentId,
  modality: 'weather',
  observedAtMs: 1000,
  observedAtText: '1970-01-01T00:00:01Z',
  clock: { source: 'ntp', errorSeconds: 0.5 },
  content: { kind: 'scalars', values: { airTemperatureC: 7.5, humidity: null } },
  media: null,
  ...changes,
})

export const readingRow = (seq: number, changes: Partial<Reading> = {}): WireRow => ({
  seq,
  body: toWireReading(exampleReading({ id: `r${seq}` as ReadingId, ...changes })),
})

type WireObservation = Extract<WireBody, { kind: 'observation' }>

export const observationRow = (seq: number, changes: Partial<WireObservation> = {}): WireRow => ({
  seq,
  body: {
    kind: 'observation',
    id: 'd1/0',
    deployment: 'd1',
    startMs: 0,
    endMs: HOUR_MS,
    revision: 1,
    final: false,
    readings: ['r1'],
    ...changes,
  },
})

type WirePrediction = Extract<WireBody, { kind: 'prediction' }>

/** `visible`: tokens by modality, of two each. */
export const predictionRow = (
  seq: number,
  visible: Readonly<Record<string, number>>,
  changes: Partial<WirePrediction> = {},
): WireRow => ({
  seq,
  body: {
    kind: 'prediction',
    observation: 'd1/0',
    revision: 1,
    model: 'valley@0123456789ab',
    labels: ['fox'],
    probabilities: [0.5],
    evidence: Object.fromEntries(
      Object.entries(visible).map(([name, visibleTokens]) => [name, { visibleTokens, totalTokens: 2 }]),
    ),
    final: true,
    predictedAtMs: 0,
    ...changes,
  },
})

export const reportRow = (seq: number): WireRow => ({
  seq,
  body: { kind: 'report', atMs: seq, topic: 'started', state: 'ready', detail: '', model: null, generation: null },
})

export const envelope = (rows: readonly unknown[]): Buffer =>
  Buffer.from(JSON.stringify({ schema: 'envelope/1', rows }))

export const labelMessage = (id: string, observation: string, present: string[] = [], absent: string[] = []): Buffer =>
  Buffer.from(JSON.stringify({ schema: 'label/1', id, observation, present, absent, by: 'test' }))
