import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '#cloud/store/store.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { type Receipt, receiptSchema } from '#shared/wire/receipt.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import { hasMosquitto, startMosquitto } from '#test/support/mosquitto.ts'
import { envelope, labelMessage, reportRow } from '#test/support/station-rows.ts'
import { type IngestOptions, startIngest } from './ingest.ts'

const topics = cloudTopics('us')
const log = silentLog()
const UP = topics.up('n1', 'e1', 'data')

let stack: AsyncDisposableStack
let folder: string
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  folder = await mkdtemp(join(tmpdir(), 'ingest-'))
  stack.defer(() => rm(folder, { recursive: true }))
})
afterEach(() => stack.disposeAsync())

const openLink = (url: string, clientId: string, cleanSession = true) =>
  openMqttLink({ url, clientId, log, cleanSession, jitter: () => 0.05 })

/** Like a station: sends rows, and hears receipts. */
const openStation = async (url: string, name = 'station') => {
  const link = stack.adopt(openLink(url, name), (opened) => opened.close())
  const receipts: Receipt[] = []
  const stored: string[] = []
  link.deliveries$.subscribe(({ topic, payload, ack }) => {
    const json = JSON.parse(Buffer.from(payload).toString())
    if (topic === topics.receipt('n1')) receipts.push(receiptSchema.parse(json))
    else stored.push(...json.ids)
    ack()
  })
  await link.listen([topics.receipt('n1'), topics.labelsStored('survey')])
  return { link, receipts, stored, send: (seqs: number[]) => link.publish(UP, envelope(seqs.map(reportRow))) }
}

const startCloud = async (url: string, changes: Partial<IngestOptions> = {}) => {
  const cloud = new AsyncDisposableStack()
  stack.use(cloud)
  const store = cloud.use(openStore(join(folder, 'cloud.db')))
  const link = cloud.adopt(openLink(url, 'cloud', false), (opened) => opened.close())
  const broken: unknown[] = []
  const ingest = cloud.use(
    startIngest({
      link,
      topics,
      takeIn: store.takeIn,
      clock: systemClock,
      log,
      onBroken: (cause) => broken.push(cause),
      firstRetryMs: 5,
      ...changes,
    }),
  )
  await vi.waitFor(() => expect(link.isConnected()).toBe(true))
  // Connected and subscribed: `listen` resolves on the broker's answer.
  await link.listen([topics.upFilter, topics.labelsFilter])
  return { store, link, ingest, broken, stop: () => cloud.disposeAsync() }
}

const openBroker = async () => stack.adopt(await openEmbeddedBroker(), (broker) => broker.close())

describe('receipts', () => {
  test('name what is stored; repeated rows are told again and stored once', async () => {
    const { url } = await openBroker()
    const cloud = await startCloud(url)
    const station = await openStation(url)
    await station.send([1, 2, 4])
    await vi.waitFor(() => expect(station.receipts.at(-1)).toMatchObject({ upTo: 2, ranges: [[4, 4]] }))
    station.receipts.length = 0
    await station.send([1, 2, 3])
    await vi.waitFor(() => expect(station.receipts.at(-1)).toMatchObject({ epoch: 'e1', upTo: 4, ranges: [] }))
    expect(cloud.store.counts()).toMatchObject({ rows: 4, 'rows-repeated': 2 })
  })

  test('labels are answered by id, repeated ones too', async () => {
    const { url } = await openBroker()
    const cloud = await startCloud(url)
    const station = await openStation(url)
    const topic = topics.labels('survey')
    for (const id of ['l1', 'l2', 'l1']) await station.link.publish(topic, labelMessage(id, 'd1/0', ['owl']))
    await vi.waitFor(() => expect(station.stored.filter((id) => id === 'l1')).toHaveLength(2))
    expect(station.stored).toContain('l2')
    expect(cloud.store.counts()).toMatchObject({ labels: 2, 'labels-repeated': 1 })
  })
})

describe('when storing fails', () => {
  class FullError extends Error {
    readonly code = 'SQLITE_FULL'
  }

  test('nothing is told before it works, and nothing is lost', async () => {
    const { url } = await openBroker()
    let failures = 3
    const store = stack.use(openStore(join(folder, 'failing.db')))
    const station = await openStation(url)
    let toldBefore = 0
    await startCloud(url, {
      takeIn: (group, nowMs) => {
        toldBefore += station.receipts.length
        if (failures-- > 0) throw new FullError('disk full')
        return store.takeIn(group, nowMs)
      },
    })
    await station.send([1])
    await vi.waitFor(() => expect(station.receipts).toMatchObject([{ upTo: 1 }]))
    expect(toldBefore).toBe(0)
    expect(store.counts()).toMatchObject({ rows: 1 })
  })

  test('a failure that waiting does not mend stops the intake and is reported once', async () => {
    const { url } = await openBroker()
    const station = await openStation(url)
    const { broken } = await startCloud(url, {
      takeIn: () => {
        throw new TypeError('a bug')
      },
    })
    await station.send([1])
    await vi.waitFor(() => expect(broken).toHaveLength(1))
    await station.send([2])
    expect(station.receipts).toEqual([])
  })
})

describe.skipIf(!hasMosquitto())('on mosquitto', () => {
  test('a crash between commit and receipt costs a repetition and nothing else', async () => {
    const mosquitto = stack.use(await startMosquitto())
    const station = await openStation(mosquitto.url)
    const first = await startCloud(mosquitto.url, {})
    await first.stop()
    // Stores, then dies before it can say so: never acknowledged, never told.
    let storedRows = 0
    const dying = await startCloud(mosquitto.url, {
      takeIn: (group, nowMs) => {
        const store = openStore(join(folder, 'cloud.db'))
        storedRows = store.takeIn(group, nowMs).newRows
        store[Symbol.dispose]()
        throw new Error('the power went')
      },
    })
    await station.send([1, 2, 3])
    await vi.waitFor(() => expect(storedRows).toBe(3))
    await dying.stop()
    expect(station.receipts).toEqual([])
    // The session at the broker still holds the unacknowledged message.
    const again = await startCloud(mosquitto.url)
    await vi.waitFor(() => expect(station.receipts).toMatchObject([{ upTo: 3, ranges: [] }]))
    expect(again.store.counts()).toMatchObject({ rows: 3, 'rows-repeated': 3 })
  })

  test('messages of a broker that is killed are sent again until the receipt, and stored once', async () => {
    const mosquitto = stack.use(await startMosquitto())
    const cloud = await startCloud(mosquitto.url)
    const station = await openStation(mosquitto.url)
    const total = 400
    let kills = 0
    const upTo = () => Math.max(0, ...station.receipts.map((receipt) => receipt.upTo))
    await vi.waitFor(
      async () => {
        const from = upTo() + 1
        if (from <= total) {
          const seqs = Array.from({ length: Math.min(40, total - from + 1) }, (_, i) => from + i)
          // A broken link rejects; the station's rule is to send again from the lowest row.
          for (let i = 0; i < seqs.length; i += 4) await station.send(seqs.slice(i, i + 4)).catch(() => {})
          if (from > 100 * (kills + 1)) {
            kills++
            await mosquitto.kill()
            await mosquitto.start()
          }
        }
        expect(upTo()).toBe(total)
      },
      { timeout: 40_000, interval: 20 },
    )
    expect(kills).toBeGreaterThan(0)
    expect(cloud.store.counts().rows).toBe(total)
  })

  test('a burst shares commits', async () => {
    const mosquitto = stack.use(await startMosquitto())
    const cloud = await startCloud(mosquitto.url)
    const station = await openStation(mosquitto.url)
    const total = 300
    await Promise.all(Array.from({ length: total }, (_, i) => station.send([i + 1])))
    await vi.waitFor(() => expect(station.receipts.at(-1)).toMatchObject({ upTo: total }), { timeout: 10_000 })
    const { groups, messages } = cloud.ingest.counts()
    expect(messages).toBe(total)
    expect(groups).toBeLessThan(total / 2)
  })
})
