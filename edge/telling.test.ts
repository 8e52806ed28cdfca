import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ModelVersion, ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { ok } from '#shared/std/result.ts'
import { type EventMessage, eventSchema } from '#shared/wire/event.ts'
import { exampleReading, HOUR_MS } from '#test/support/station-rows.ts'
import { OBSERVING_SCHEMA_SQL } from './observing/schema.ts'
import { OUTBOX_SCHEMA_SQL } from './outbox/schema.ts'
import { openPipeline } from './pipeline.ts'
import { SPOOL_SCHEMA_SQL } from './spool/schema.ts'
import { startTelling } from './telling.ts'

const TOPIC = 'us/valley/ridge/event'
const log = silentLog()

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

const openStation = async () => {
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  const openLink = (clientId: string) =>
    stack.adopt(openMqttLink({ url: broker.url, clientId, log }), (link) => link.close())
  const database = stack.adopt(
    openDatabase(':memory:', [SPOOL_SCHEMA_SQL, OBSERVING_SCHEMA_SQL, OUTBOX_SCHEMA_SQL]),
    (opened) => void opened.close(),
  )
  const pipeline = openPipeline({
    database,
    node: 'ridge',
    window: { ms: HOUR_MS, allowedLatenessMs: 0, time: 'readings' },
    rejectedBudgetBytes: 1000,
  })
  const events: EventMessage[] = []
  const watcher = openLink('watcher')
  watcher.deliveries$.subscribe(({ payload }) =>
    events.push(eventSchema.parse(JSON.parse(Buffer.from(payload).toString()))),
  )
  await watcher.listen([TOPIC], 0)
  let model: ModelVersion | null = null
  const link = openLink('station')
  const table = pipeline.telling
  const from = { node: 'ridge', epoch: 'e1' }
  const telling = stack.use(startTelling({ table, link, topic: TOPIC, ...from, hasModel: () => model !== null, log }))
  await vi.waitFor(() => expect(link.isConnected()).toBe(true))
  const store = (id: string) => {
    pipeline.store([ok(exampleReading({ id: id as ReadingId }))], 0)
    telling.wake()
  }
  const predict = (version: string) => {
    model = version as ModelVersion
    const [of] = pipeline.waiting(1)
    pipeline.predict({ version: model, labels: ['owl'] }, [{ of: of!, probabilities: [0.5], evidence: {} }], 1)
    telling.wake()
  }
  const told = () => events.map(({ type, rev, model: by }) => `${type} ${rev} ${by ?? '-'}`)
  return { store, predict, told, events }
}

test('what was told without a model is told again with its prediction, and no consumer takes it for a repeat', async () => {
  const { store, predict, told, events } = await openStation()
  store('a')
  await vi.waitFor(() => expect(told()).toEqual(['new 1 -']))
  store('b')
  await vi.waitFor(() => expect(told()).toEqual(['new 1 -', 'update 2 -']))
  predict('valley@1')
  await vi.waitFor(() => expect(told()).toEqual(['new 1 -', 'update 2 -', 'update 2 valley@1']))
  expect(events[2]!.labels).toEqual([{ taxon: 'owl', probability: 0.5 }])
  expect(new Set(events.map(({ id }) => id)).size).toBe(3)
})
