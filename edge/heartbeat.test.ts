import { expect, test } from 'vitest'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { ok } from '#shared/std/result.ts'
import { exampleReading, HOUR_MS } from '#test/support/station-rows.ts'
import { heartbeat } from './heartbeat.ts'
import { OBSERVING_SCHEMA_SQL } from './observing/schema.ts'
import { OUTBOX_SCHEMA_SQL } from './outbox/schema.ts'
import { openPipeline } from './pipeline.ts'
import { SPOOL_SCHEMA_SQL } from './spool/schema.ts'

test('a heartbeat tells ages, and null for a sensor that has never reported', () => {
  const database = openDatabase(':memory:', [SPOOL_SCHEMA_SQL, OBSERVING_SCHEMA_SQL, OUTBOX_SCHEMA_SQL])
  const sensors = ['weather', 'camera'].map((id) => ({ id, modality: id, deployment: 'd1' }))
  const window = { ms: HOUR_MS, allowedLatenessMs: 0, time: 'wall' } as const
  const pipeline = openPipeline({ database, node: 'n1', window, rejectedBudgetBytes: 1000 })
  expect(heartbeat(database, { sensors }, 0)).toMatchObject({ outbox: { depth: 0, oldest_unsent_s: null } })
  pipeline.store([ok(exampleReading())], 1000)
  expect(heartbeat(database, { sensors }, 61_000)).toEqual({
    schema: 'health/1',
    clock: { source: 'host' },
    outbox: { depth: 2, oldest_unsent_s: 60 },
    last_sample_age_s: { weather: 60, camera: null },
  })
  database.close()
})
