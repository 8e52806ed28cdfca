import { expect, test } from 'vitest'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { type MqttLink, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { cloudTopics, sensorOfTopic, stationTopics } from '#shared/wire/topics.ts'
import { runSensors } from './sensors.ts'
import { tallyOf } from './tally.ts'
import { createValley, REVIEWERS, SITE, type StationHour, type Valley } from './valley.ts'

const link = (url: string, clientId: string): MqttLink => openMqttLink({ url, clientId, log: silentLog() })

const idOf = (payload: Uint8Array): string | null => {
  try {
    const { id } = JSON.parse(Buffer.from(payload).toString())
    return typeof id === 'string' ? id : null
  } catch {
    return null
  }
}

/** The other end of the wire: confirms an id on its second arrival if `isForgetful` says so, else on the first. */
const openStandIn = async (url: string, valley: Valley, isForgetful: (id: string) => boolean) => {
  const arrivals = new Map<string, number>()
  let nameless = 0
  const own = link(url, 'stand-in')
  own.deliveries$.subscribe(({ topic, payload, ack }) => {
    ack()
    const id = idOf(payload)
    if (id === null) {
      nameless++
      return
    }
    arrivals.set(id, (arrivals.get(id) ?? 0) + 1)
    if (isForgetful(id) && arrivals.get(id) === 1) return
    const sensor = sensorOfTopic(topic)
    const answer = sensor === null ? `${topic}/stored` : topic.replace(/obs$/, 'stored')
    own.publish(answer, JSON.stringify({ schema: 'stored/1', ids: [id] })).catch(() => undefined) // resent by the sensor
  })
  await own.listen([
    ...valley.stations.map(({ node }) => stationTopics(valley.prefix, SITE, node).observationFilter),
    cloudTopics(valley.prefix).labels(REVIEWERS),
  ])
  return { arrivals, nameless: () => nameless, close: own.close }
}

test('everything arrives, what is not confirmed comes again, and the summary says what to expect', async () => {
  await using stack = new AsyncDisposableStack()
  const broker = await openEmbeddedBroker()
  stack.defer(broker.close)
  const valley = await createValley({ seed: 2, stations: 2, faults: { broken: 0.1 } })
  const standIn = await openStandIn(broker.url, valley, (id) => /[37]$/.test(id))
  stack.defer(standIn.close)
  const seen: StationHour[] = []
  const summary = await runSensors({
    valley,
    span: { fromHour: 0, hours: 24 },
    virtualHoursPerSecond: Number.POSITIVE_INFINITY,
    openStationLink: ({ node }) => link(broker.url, `sensors-${node}`),
    openLabelLink: () => link(broker.url, 'reviewers'),
    resendAfterMs: 400,
    mostKept: 50,
    onHour: (hours) => seen.push(...hours),
  })
  expect(seen).toHaveLength(48)
  expect(summary).toMatchObject({ isComplete: true, unconfirmed: 0, expected: tallyOf(seen) })
  const { valid, labels } = summary.expected
  expect(summary.readings.confirmed).toBe(valid)
  expect(summary.labels.confirmed).toBe(labels)
  expect(summary.readings.resent).toBeGreaterThan(0)
  const validIds = seen.flatMap(({ messages }) =>
    messages.filter(({ fate }) => fate.kind === 'valid').map(({ id }) => id),
  )
  for (const id of validIds) expect(standIn.arrivals.get(id)).toBeGreaterThan(/[37]$/.test(id) ? 1 : 0)
  expect(standIn.nameless()).toBe(
    (summary.expected.rejected['malformed-json'] ?? 0) + (summary.expected.rejected['not-a-number'] ?? 0),
  )
})

test('a run stops when asked, in the middle, and says what nobody has confirmed', async () => {
  await using stack = new AsyncDisposableStack()
  const broker = await openEmbeddedBroker()
  stack.defer(broker.close)
  const valley = await createValley({ seed: 2, stations: 1 })
  const stop = new AbortController()
  const summary = await runSensors({
    valley,
    span: { fromHour: 0, hours: 100_000 },
    virtualHoursPerSecond: 40,
    openStationLink: () => link(broker.url, 'sensors'),
    signal: stop.signal,
    onHour: ([hour]) => hour!.truth.hour >= 3 && stop.abort(),
  })
  expect(summary.isComplete).toBe(false)
  expect(summary.unconfirmed).toBeGreaterThan(5)
  expect(summary.expected).toMatchObject({ stationHours: 4, labels: 0 })
})

test('the pace is kept: virtual hours take their share of a second', async () => {
  await using stack = new AsyncDisposableStack()
  const broker = await openEmbeddedBroker()
  stack.defer(broker.close)
  const valley = await createValley({ seed: 2, stations: 1, faults: { linkBreaksPerDay: 0, late: 0 } })
  const standIn = await openStandIn(broker.url, valley, () => false)
  stack.defer(standIn.close)
  const startedMs = performance.now()
  const summary = await runSensors({
    valley,
    span: { fromHour: 0, hours: 8 },
    virtualHoursPerSecond: 10,
    openStationLink: () => link(broker.url, 'sensors'),
  })
  expect(summary.isComplete).toBe(true)
  expect(performance.now() - startedMs).toBeGreaterThan(790)
})
