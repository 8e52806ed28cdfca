import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { generatePrivateKey, signerOf } from '#shared/bundle/keys.ts'
import { openSigned } from '#shared/bundle/signed.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openEmbeddedBroker } from '#shared/platform/mqtt-broker.ts'
import { type Delivery, openMqttLink } from '#shared/platform/mqtt-link.ts'
import { desiredStateSchema } from '#shared/wire/desired.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import { parseRequest, unitsOf } from './blob-server.ts'
import { nextDesired, openDesiredStates } from './desired-states.ts'
import { createRequestQueue } from './request-queue.ts'
import { startRollout } from './rollout.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-'))
})
afterEach(() => rm(folder, { recursive: true }))

const director = signerOf(generatePrivateKey())
const targetOf = (counter: number, cohort = 'all') => ({
  cohort,
  family: 'valley',
  release: { sha256: sha256Hex(`release ${counter}`), length: 900 },
  releaseCounter: counter,
})

describe('desired states', () => {
  test('rise by one with each new release and stay when nothing changes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1 }), (steps) => {
        let counter = 1
        let state = nextDesired(null, targetOf(counter))
        let generation = 1
        for (const step of steps) {
          counter += step
          state = nextDesired(state, targetOf(counter))
          if (step > 0) generation++
          expect(state).toMatchObject({ generation, releaseCounter: counter })
        }
      }),
    )
  })

  test('never point to an older release', () => {
    const state = nextDesired(null, targetOf(5))
    expect(() => nextDesired(state, targetOf(4))).toThrow('higher counter')
  })

  test('survive a restart with their signature, each cohort by itself', async () => {
    const states = openDesiredStates(folder, director)
    const first = await states.decide(targetOf(1))
    await states.decide(targetOf(7, 'canary'))
    const again = openDesiredStates(folder, director)
    expect(await again.read('all', 'valley')).toEqual(first)
    expect((await again.decide(targetOf(2))).state.generation).toBe(2)
    expect((await again.read('canary', 'valley'))?.state).toMatchObject({ generation: 1, releaseCounter: 7 })
    expect(await again.read('other', 'valley')).toBeNull()
  })
})

describe('the request queue', () => {
  const work = (object: string, count: number) => ({
    object,
    unitBytes: 4096,
    units: Array.from({ length: count }, (_, i) => i),
  })

  test('serves nodes in turn, so a small request does not wait for a big one', () => {
    const queue = createRequestQueue({ nodes: 10, requestsPerNode: 2, unitsPerTurn: 16 })
    queue.add('big', work('a', 256))
    queue.add('small', work('b', 5))
    const turns: string[] = []
    for (let turn = queue.take(); turn !== null; turn = queue.take()) {
      turns.push(`${turn.node} ${turn.work.units.length}`)
      queue.done(turn.node)
    }
    expect(turns.slice(0, 3)).toEqual(['big 16', 'small 5', 'big 16'])
    expect(turns).toHaveLength(17)
  })

  test('never serves one node twice at once, and loses and repeats no unit', () => {
    const requests = fc.array(
      fc.record({ node: fc.constantFrom('n1', 'n2', 'n3'), count: fc.integer({ min: 1, max: 50 }), takes: fc.nat(3) }),
    )
    fc.assert(
      fc.property(requests, (list) => {
        const queue = createRequestQueue({ nodes: 3, requestsPerNode: 100, unitsPerTurn: 7 })
        const served: string[] = []
        const busy: string[] = []
        const takeOne = () => {
          const turn = queue.take()
          if (turn === null) return false
          expect(busy).not.toContain(turn.node)
          expect(turn.work.units.length).toBeLessThanOrEqual(7)
          busy.push(turn.node)
          served.push(...turn.work.units.map((unit) => `${turn.work.object}:${unit}`))
          return true
        }
        list.forEach(({ node, count, takes }, i) => {
          expect(queue.add(node, work(`${node}-${i}`, count))).toBe(true)
          for (let t = 0; t < takes && takeOne(); t++);
          for (const done of busy.splice(0, takes)) queue.done(done)
        })
        do for (const done of busy.splice(0)) queue.done(done)
        while (takeOne())
        const asked = list.flatMap(({ node, count }, i) =>
          Array.from({ length: count }, (_, unit) => `${node}-${i}:${unit}`),
        )
        expect(served.sort()).toEqual(asked.sort())
      }),
      { numRuns: 200 },
    )
  })

  test('has bounds, and counts what it drops; asking again replaces', () => {
    const queue = createRequestQueue({ nodes: 2, requestsPerNode: 2, unitsPerTurn: 16 })
    expect([queue.add('a', work('1', 1)), queue.add('a', work('2', 1)), queue.add('a', work('3', 1))]).toEqual([
      true,
      true,
      false,
    ])
    expect(queue.add('a', work('2', 9))).toBe(true)
    expect([queue.add('b', work('1', 1)), queue.add('c', work('1', 1))]).toEqual([true, false])
    expect(queue.dropped()).toBe(2)
  })
})

describe('requests', () => {
  test('name at most 256 units, whatever their ranges claim', () => {
    expect(
      unitsOf([
        [0, 2],
        [5, 5],
      ]),
    ).toEqual([0, 1, 2, 5])
    expect(
      unitsOf([
        [0, 2],
        [1, 4],
      ]),
    ).toEqual([0, 1, 2, 3, 4])
    expect(unitsOf([[5, 1]])).toEqual([])
    expect(unitsOf([[0, Number.MAX_SAFE_INTEGER]])).toHaveLength(256)
  })
  test('that are not requests are null', () => {
    const good = { schema: 'blob-request/1', object: 'a'.repeat(64), unitBytes: 4096, ranges: [[0, 1]] }
    const parse = (value: unknown) =>
      parseRequest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
    expect(parse(good)).toEqual(good)
    for (const bad of [
      '',
      '{',
      'x'.repeat(5000),
      { ...good, object: '../../etc' },
      { ...good, unitBytes: 1 },
      { ...good, ranges: [] },
      { ...good, ranges: [[-1, 2]] },
    ]) {
      expect(parse(bad)).toBeNull()
    }
  })
})

test('through a broker: desired states are retained and repeated, published files are served, others are not', async () => {
  await using stack = new AsyncDisposableStack()
  const broker = stack.adopt(await openEmbeddedBroker(), (opened) => opened.close())
  const topics = cloudTopics('us')
  const open = (clientId: string) =>
    stack.adopt(openMqttLink({ url: broker.url, clientId, log: silentLog(), jitter: () => 0.01 }), (link) =>
      link.close(),
    )

  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 13) & 255))
  const object = sha256Hex(bytes)
  await writeFile(join(folder, object), bytes)
  const rollout = stack.use(
    await startRollout({
      link: open('cloud'),
      topics,
      folder: join(folder, 'desired'),
      director,
      log: silentLog(),
      watched: [{ cohort: 'all', family: 'valley' }],
      repeatMs: 50,
      blobs: {
        blob: async (sha256) => (sha256 === object ? { file: join(folder, object), length: bytes.length } : null),
      },
    }),
  )
  const state = await rollout.target(targetOf(3))

  const node = open('node')
  const got: Delivery[] = []
  node.deliveries$.subscribe((delivery) => {
    got.push(delivery)
    delivery.ack()
  })
  await node.listen([topics.desired('all', 'valley')], 1)
  await node.listen([topics.blobResponse('ridge')], 0)
  const desired = () => got.filter(({ topic }) => topic === topics.desired('all', 'valley'))
  await vi.waitFor(() => expect(desired().length).toBeGreaterThan(2), { timeout: 5000 })
  expect(desired().some(({ retained }) => retained)).toBe(true)
  const trust = {
    schema: 'trust/1' as const,
    roles: {
      release: { keys: [director.publicKey], threshold: 1 },
      director: { keys: [director.publicKey], threshold: 1 },
    },
  }
  expect(
    openSigned(desired()[0]!.payload, { trust, role: 'director', maxBytes: 2048, schema: desiredStateSchema }),
  ).toMatchObject({
    ok: true,
    value: { value: state },
  })

  const ask = (sha256: string, ranges: [number, number][]) =>
    node.publish(
      topics.blobRequest('ridge'),
      JSON.stringify({ schema: 'blob-request/1', object: sha256, unitBytes: 4096, ranges }),
      { qos: 0 },
    )
  await ask('f'.repeat(64), [[0, 0]])
  await ask(object, [[0, 5]])
  const units = () =>
    got.filter(({ topic }) => topic === topics.blobResponse('ridge')).map(({ payload }) => Buffer.from(payload))
  await vi.waitFor(() => expect(units()).toHaveLength(3), { timeout: 5000 })
  expect(Buffer.concat(units().map((unit) => unit.subarray(12)))).toEqual(bytes)
  expect(units().map((unit) => [unit.toString('hex', 0, 8), unit.readUInt32BE(8)])).toEqual(
    [0, 1, 2].map((i) => [object.slice(0, 16), i]),
  )
  await vi.waitFor(() => expect(rollout.counts()).toEqual({ unitsSent: 3, refused: 2, dropped: 0 }))
})
