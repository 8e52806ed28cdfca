import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { blobRequestSchema } from '#shared/wire/desired.ts'
import { downloadObject } from './download.ts'
import { openObjectFolder } from './objects.ts'
import { UPDATE_SCHEMA_SQL } from './tables.ts'

const UNIT = 1024
const bytes = Buffer.from(Array.from({ length: 50 * UNIT + 17 }, (_, i) => (i * 31) & 255))
const object = { sha256: sha256Hex(bytes), length: bytes.length }
const unitBytes = (unit: number) => bytes.subarray(unit * UNIT, (unit + 1) * UNIT)

const answer = (unit: number, content: Uint8Array, sha256: string = object.sha256) => {
  const header = Buffer.alloc(12)
  header.write(sha256.slice(0, 16), 'hex')
  header.writeUInt32BE(unit, 8)
  return Buffer.concat([header, content])
}

/** `serve` says what a server sends for a unit that was asked for. */
const download = async (
  serve: (unit: number, request: number) => readonly Buffer[],
  signal = new AbortController().signal,
) => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'download-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  const open = (clientId: string) =>
    stack.adopt(openMqttLink({ url: broker.url, clientId, log: silentLog() }), (link) => link.close())
  const database = openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL])
  stack.defer(() => void database.close())
  const objects = await openObjectFolder(database, folder)

  const server = open('server')
  const requests: number[][] = []
  server.deliveries$.subscribe(({ payload }) => {
    const { ranges } = blobRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()))
    const units = ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    requests.push(units)
    for (const unit of units)
      for (const message of serve(unit, requests.length)) void server.publish('response', message, { qos: 0 })
  })
  await server.listen(['request'], 0)
  const link = open('node')
  await link.listen(['response'], 0)
  const isRight = await downloadObject(
    object,
    {
      link,
      requestTopic: 'request',
      responseTopic: 'response',
      objects,
      clock: systemClock,
      unitBytes: UNIT,
      silenceMs: 60,
      onProgress: () => {},
    },
    signal,
  )
  return { isRight, requests, content: isRight ? await readFile(objects.pathOf(object)) : null }
}

test('asks for more at once while all is well', async () => {
  const { content, requests } = await download((unit) => [answer(unit, unitBytes(unit))])
  expect(content).toEqual(bytes)
  expect(requests.map((units) => units.length)).toEqual([8, 10, 12, 14, 7])
})

test('asks again for what was lost, and for nothing else', async () => {
  const { content, requests } = await download((unit, request) =>
    request === 1 && unit % 2 === 1 ? [] : [answer(unit, unitBytes(unit))],
  )
  expect(content).toEqual(bytes)
  expect(requests[1]).toEqual([1, 3, 5, 7])
  expect(requests.flat()).toHaveLength(51 + 4)
})

test('is not misled by answers of another length, another file, another unit, or repeated ones', async () => {
  const { content } = await download((unit) => [
    answer(unit, Buffer.alloc(UNIT + 1)),
    answer(unit, Buffer.alloc(3)),
    answer(unit, Buffer.alloc(UNIT), sha256Hex('another')),
    answer(0xffffffff, Buffer.alloc(UNIT)),
    Buffer.alloc(12),
    answer(unit, unitBytes(unit)),
    answer(unit, Buffer.alloc(unitBytes(unit).length)),
  ])
  expect(content).toEqual(bytes)
})

test('says so when the whole is not what was signed', async () => {
  const { isRight } = await download((unit) => [answer(unit, unit === 40 ? Buffer.alloc(UNIT) : unitBytes(unit))])
  expect(isRight).toBe(false)
})

test('waits for a silent server until it is told to stop', async () => {
  const abort = new AbortController()
  const failure = download((_, request) => {
    if (request === 3) abort.abort(new Error('enough'))
    return []
  }, abort.signal)
  await expect(failure).rejects.toThrow('enough')
})
