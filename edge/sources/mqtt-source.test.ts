import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { type Delivery, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { hasMosquitto, startMosquitto } from '#test/support/mosquitto.ts'
import { mqttSource } from './mqtt-source.ts'

const PLACE = { prefix: 'understory', site: 'valley', node: 'ridge' }

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

const openLink = (url: string, clientId: string, cleanSession = true) =>
  stack.adopt(openMqttLink({ url, clientId, log: silentLog(), cleanSession, jitter: () => 0.05 }), (link) =>
    link.close(),
  )

/** Everything that comes out of a source, in order, with its end. */
const collected = (link: ReturnType<typeof openLink>) => {
  const deliveries: Delivery[] = []
  const ends: string[] = []
  mqttSource({ link, ...PLACE }).subscribe({
    next: (delivery) => deliveries.push(delivery),
    error: (cause) => ends.push(String(cause)),
    complete: () => ends.push('complete'),
  })
  const texts = () => deliveries.map(({ payload }) => Buffer.from(payload).toString())
  return { deliveries, texts, ends }
}

test('gives what sensors of this station publish, in order, and nothing else of its link', async () => {
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  const link = openLink(broker.url, 'station')
  const source = collected(link)
  await link.listen(['understory/#'])
  const sensor = openLink(broker.url, 'sensor')
  await vi.waitFor(() => expect(sensor.isConnected()).toBe(true))
  for (const [topic, text] of [
    ['understory/valley/ridge/wx/obs', 'first'],
    ['understory/valley/ridge/wx/stored', 'not for us'],
    ['understory/valley/pond/wx/obs', 'of another station'],
    ['understory/valley/ridge/status', 'our own'],
    ['understory/valley/ridge/mic/obs', 'second'],
    ['understory/up/ridge/e1/obs', 'to the cloud'],
    ['understory/valley/ridge/wx/obs', 'third'],
  ] as const)
    await sensor.publish(topic, text)
  await vi.waitFor(() => expect(new Set(source.texts())).toEqual(new Set(['first', 'second', 'third'])))
  // Two subscriptions of one link overlap here, and a broker may then deliver twice; the order holds.
  expect([...new Set(source.texts())]).toEqual(['first', 'second', 'third'])
  expect(source.deliveries.map(({ topic }) => topic.split('/')[3])).toEqual(
    source.texts().map((text) => (text === 'second' ? 'mic' : 'wx')),
  )
  await link.close()
  expect(source.ends).toEqual(['complete'])
})

test('completes when its link is closed before it ever came up', async () => {
  const link = openLink('mqtt://127.0.0.1:1', 'station')
  const source = collected(link)
  await link.close()
  expect([source.deliveries, source.ends]).toEqual([[], ['complete']])
})

test.skipIf(!hasMosquitto())(
  'the broker holds back what exceeds its first window, and sends again what nobody stored',
  async () => {
    const mosquitto = stack.use(await startMosquitto())
    const link = openLink(mosquitto.url, 'station', false)
    const source = collected(link)
    await link.listen(['understory/valley/ridge/+/obs'])
    const sensor = openLink(mosquitto.url, 'sensor')
    await vi.waitFor(() => expect(sensor.isConnected()).toBe(true))
    const all = Array.from({ length: 50 }, (_, i) => `message ${i}`)
    for (const text of all) await sensor.publish('understory/valley/ridge/wx/obs', text)
    await vi.waitFor(() => expect(source.texts()).toEqual(all.slice(0, 20)))
    // Published and confirmed, so the broker has them; a moment shows that it keeps them.
    await delay(100)
    expect(source.deliveries).toHaveLength(20)
    for (const { ack } of source.deliveries.slice(0, 5)) ack()
    // mosquitto 2.0.11 sends a whole window more for each acknowledgement; order holds and none is lost.
    await vi.waitFor(() => expect(source.texts()).toEqual(all))

    await link.close()
    const next = collected(openLink(mosquitto.url, 'station', false))
    await vi.waitFor(() => expect(next.texts()).toEqual(expect.arrayContaining(all.slice(5, 25))))
    for (const { ack } of [...next.deliveries]) ack()
    await vi.waitFor(() => expect(next.texts()).toEqual(all.slice(5)))
  },
)

test.skipIf(!hasMosquitto())(
  'what a broker still delivers for a former site does not stop the present one',
  async () => {
    const mosquitto = stack.use(await startMosquitto())
    const before = openLink(mosquitto.url, 'station', false)
    await before.listen(['understory/old/ridge/+/obs'])
    await before.close()
    const sensor = openLink(mosquitto.url, 'sensor')
    await vi.waitFor(() => expect(sensor.isConnected()).toBe(true))
    const send = async (site: string) => {
      for (let i = 0; i < 30; i++) await sensor.publish(`understory/${site}/ridge/wx/obs`, `${site} ${i}`)
    }
    await send('old')
    const link = openLink(mosquitto.url, 'station', false)
    const seen = new Set<string>()
    mqttSource({ link, ...PLACE }).subscribe(({ payload, ack }) => {
      seen.add(Buffer.from(payload).toString())
      ack()
    })
    await vi.waitFor(() => expect(link.isConnected()).toBe(true))
    await link.listen([])
    await send('valley')
    await vi.waitFor(() => expect([...seen].filter((text) => text.startsWith('valley'))).toHaveLength(30))
    expect([...seen].filter((text) => text.startsWith('old'))).toHaveLength(30)
  },
)
