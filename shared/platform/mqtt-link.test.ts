import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { hasMosquitto, startMosquitto } from '#test/support/mosquitto.ts'
import { silentLog } from './log.ts'
import { openEmbeddedBroker } from './mqtt-broker.ts'
import { openMqttLink } from './mqtt-link.ts'

const log = silentLog()
const BOUND = 50

test.skipIf(!hasMosquitto())(
  'what is not acknowledged is bounded, and nothing gets stuck behind the bound',
  async () => {
    await using stack = new AsyncDisposableStack()
    const mosquitto = stack.use(await startMosquitto())
    const open = (clientId: string, more: object = {}) =>
      stack.adopt(openMqttLink({ url: mosquitto.url, clientId, log, jitter: () => 0.05, ...more }), (link) =>
        link.close(),
      )
    const receiver = open('receiver', { maxUnacked: BOUND, cleanSession: false })
    const waiting: (() => void)[] = []
    const arrived = new Set<string>()
    let most = 0
    receiver.deliveries$.subscribe(({ payload, ack }) => {
      arrived.add(Buffer.from(payload).toString())
      waiting.push(ack)
      most = Math.max(most, waiting.length)
    })
    await receiver.listen(['x/+'])
    const sender = open('sender')
    await vi.waitFor(() => expect(sender.isConnected()).toBe(true))
    const send = (from: number, count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => sender.publish('x/y', `${from + i}`)))
    // Acknowledging a burst makes mosquitto send many windows at once.
    const acknowledge = async (expected: number) => {
      await vi.waitFor(
        () => {
          for (const ack of waiting.splice(0)) ack()
          expect(arrived.size).toBe(expected)
        },
        { timeout: 20_000, interval: 5 },
      )
    }
    await send(0, 3000)
    await acknowledge(3000)
    expect(most).toBeGreaterThan(20)
    expect(most).toBeLessThanOrEqual(BOUND)

    // A connection that breaks while reading is paused leaves nothing paused behind.
    await send(3000, 500)
    for (let i = 0; i < 5; i++) waiting.shift()?.()
    await mosquitto.kill()
    await mosquitto.start()
    waiting.length = 0
    await vi.waitFor(() => expect(sender.isConnected() && receiver.isConnected()).toBe(true), { timeout: 10_000 })
    await receiver.listen(['x/+'])
    const before = arrived.size
    await send(10_000, 500)
    await vi.waitFor(
      () => {
        for (const ack of waiting.splice(0)) ack()
        expect([...arrived].filter((id) => Number(id) >= 10_000)).toHaveLength(500)
      },
      { timeout: 20_000, interval: 5 },
    )
    expect(arrived.size).toBeGreaterThan(before)
  },
)

test.skipIf(!hasMosquitto())('a subscription whose connection breaks meanwhile is made on the next one', async () => {
  await using stack = new AsyncDisposableStack()
  const mosquitto = stack.use(await startMosquitto())
  const open = (clientId: string) =>
    stack.adopt(openMqttLink({ url: mosquitto.url, clientId, log, jitter: () => 0.05 }), (link) => link.close())
  const receiver = open('receiver')
  const sender = open('sender')
  const arrived: string[] = []
  receiver.deliveries$.subscribe(({ topic, ack }) => {
    arrived.push(topic)
    ack()
  })
  await vi.waitFor(() => expect(receiver.isConnected()).toBe(true))
  const killed = mosquitto.kill()
  const listening = receiver.listen(['x/+']).then(() => receiver.listen(['y/+']))
  await killed
  await mosquitto.start()
  await listening
  await vi.waitFor(() => expect(sender.isConnected()).toBe(true))
  for (const topic of ['x/1', 'y/1']) await sender.publish(topic, '')
  await vi.waitFor(() => expect(arrived).toEqual(['x/1', 'y/1']))
})

/** Takes connections, and answers nothing after the CONNACK. */
const openMuteBroker = async () => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // cut by its client
    socket.once('data', () => socket.write(Uint8Array.of(0x20, 2, 0, 0)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

test('closes although its broker has stopped answering, and says so to whoever still waits', async () => {
  await using broker = await openMuteBroker()
  const link = openMqttLink({ url: broker.url, clientId: 'station', log })
  await vi.waitFor(() => expect(link.isConnected()).toBe(true))
  const outcome = link.publish('x/y', 'unheard').catch((cause) => cause.code)
  await link.close()
  expect(await outcome).toBe('failed')
  expect(link.isConnected()).toBe(false)
})

test('tells a person, once and without the password, why there is no lasting connection', async () => {
  await using stack = new AsyncDisposableStack()
  const told: object[] = []
  const warning = { ...log, warn: (values: object) => void told.push(values) }
  const open = (url: string, more: object = {}) =>
    stack.adopt(openMqttLink({ url, clientId: 'station', log, jitter: () => 0.05, ...more }), (link) => link.close())
  const troubles: string[] = []
  const onTrouble = ({ message }: Error) => void troubles.push(message)
  open('mqtt://user:secret@127.0.0.1:1', { log: warning, onTrouble })
  await vi.waitFor(() => expect(troubles.length).toBeGreaterThan(4), { timeout: 5000 })
  const cause = expect.stringContaining('ECONNREFUSED')
  expect(told).toEqual([{ url: 'mqtt://127.0.0.1:1', cause }])

  // Two clients of one name throw each other out, ever more slowly.
  told.length = 0
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  open(broker.url, { log: warning })
  open(broker.url)
  const hint = 'is another client connected as station?'
  await vi.waitFor(() => expect(told).toContainEqual(expect.objectContaining({ hint })), { timeout: 5000 })
})
