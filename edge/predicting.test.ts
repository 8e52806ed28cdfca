import { expect, test, vi } from 'vitest'
import type { DeploymentId, ModelVersion, ObservationId, ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { exampleReading, HOUR_MS } from '#test/support/station-rows.ts'
import { InferenceError, type InferenceModel } from './inference/inference.ts'
import { startModelHost } from './model-host.ts'
import type { WithContents } from './pipeline.ts'
import { rehearse, startPredicting } from './predicting.ts'
import type { ActiveModel } from './update/active-model.ts'

const log = silentLog()
const SPECS = [
  {
    kind: 'tabular' as const,
    name: 'weather',
    variables: [{ type: 'number' as const, name: 'airTemperatureC', mean: 0, deviation: 1 }],
  },
]
const source = (name: string) => ({ version: `valley@${name}` as ModelVersion }) as ActiveModel

/** A process that answers for every temperature but 666, on which it dies. */
const openModel = (name: string, events: string[]): InferenceModel => {
  let isDead = false
  return {
    version: `valley@${name}` as ModelVersion,
    layout: layoutOf(SPECS),
    manifest: {
      modalities: SPECS,
      labels: [{ name: 'owl', taxonId: null, threshold: 0.5 }],
    } as unknown as InferenceModel['manifest'],
    predict: async (rows) => {
      if (isDead || rows.some(({ features }) => features[0] === 666)) {
        isDead = true
        throw new InferenceError('crashed', 'exit 139')
      }
      return rows.map(() => ({ probabilities: [0.5], evidence: {} }))
    },
    [Symbol.asyncDispose]: async () => void events.push(`closed ${name}`),
  }
}

const observation = (number: number, temperature: number): WithContents => ({
  number,
  id: `d1/${number * HOUR_MS}` as ObservationId,
  window: { startMs: 0, endMs: HOUR_MS },
  revision: 1,
  readings: [number],
  contents: [
    exampleReading({
      id: `r${number}` as ReadingId,
      deployment: 'd1' as DeploymentId,
      content: { kind: 'scalars', values: { airTemperatureC: temperature } },
    }),
  ],
})

const openStation = (waiting: WithContents[]) => {
  const events: string[] = []
  const predicted: number[] = []
  const setAside: number[] = []
  const take = (number: number) =>
    void waiting.splice(
      waiting.findIndex((it) => it.number === number),
      1,
    )
  let starts = 0
  const host = startModelHost({
    start: async ({ version }) => {
      starts++
      if (version.endsWith('broken')) throw new InferenceError('load', 'no model')
      return openModel(version.slice('valley@'.length), events)
    },
    rehearse: (model) => rehearse(model, { newest: () => [] }),
    onChange: (version) => {
      events.push(`runs ${version}`)
      predicting.wake()
    },
    onServed: (version) => {
      if (events.at(-1) !== `served ${version}`) events.push(`served ${version}`)
    },
    onFailed: (version, reason) => events.push(`failed ${version}: ${reason}`),
    log,
    firstRetryMs: 1,
  })
  const predicting = startPredicting({
    pipeline: {
      waiting: (limit) => waiting.slice(0, limit),
      predict: (_, answers) => {
        for (const { of } of answers) {
          predicted.push(of.number)
          take(of.number)
        }
        return []
      },
      setAside: ({ number }) => {
        setAside.push(number)
        take(number)
      },
      count: () => {},
    },
    host,
    batch: 8,
    onPredicted: () => {},
    clock: systemClock,
    log,
  })
  return {
    host,
    predicting,
    events,
    predicted,
    setAside,
    starts: () => starts,
    [Symbol.asyncDispose]: async () => {
      await predicting[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    },
  }
}

test('an observation on which the model dies is found and set aside, and all others are predicted', async () => {
  const waiting = Array.from({ length: 20 }, (_, i) => observation(i + 1, i === 12 ? 666 : i))
  await using station = openStation(waiting)
  station.host.want(source('a'))
  await vi.waitFor(() => expect(waiting).toEqual([]), { timeout: 5000 })
  expect(station.setAside).toEqual([13])
  expect(new Set(station.predicted).size).toBe(19)
  expect(station.predicted).toHaveLength(19)
  expect(station.starts()).toBeGreaterThan(2)
})

test('the next model is there before the old one goes, and one that does not load leaves the old one running', async () => {
  const waiting: WithContents[] = []
  await using station = openStation(waiting)
  const { host, events } = station
  host.want(source('a'))
  await vi.waitFor(() => expect(host.current()?.version).toBe('valley@a'))
  host.want(source('b'))
  await vi.waitFor(() => expect(events).toContain('closed a'))
  expect(events).toEqual(['runs valley@a', 'served valley@a', 'closed a', 'runs valley@b', 'served valley@b'])
  host.want(source('broken'))
  await vi.waitFor(() => expect(events.some((event) => event.startsWith('failed valley@broken'))).toBe(true))
  expect(host.current()?.version).toBe('valley@b')
  waiting.push(observation(1, 5))
  station.predicting.wake()
  await vi.waitFor(() => expect(station.predicted).toEqual([1]))
  host.want(null)
  await vi.waitFor(() => expect(host.current()).toBeNull())
})

test('one crash is forgiven, two without an answer between them are told', async () => {
  await using station = openStation([])
  const { host, events } = station
  host.want(source('a'))
  await vi.waitFor(() => expect(host.current()).not.toBeNull())
  host.failed(host.current()!, 'crashed', true)
  expect(events.filter((event) => event.startsWith('failed'))).toEqual([])
  await vi.waitFor(() => expect(host.current()).not.toBeNull())
  host.failed(host.current()!, 'not finite', false)
  host.failed(host.current()!, 'not finite', false)
  expect(events.filter((event) => event.startsWith('failed'))).toEqual(['failed valley@a: not finite'])
})

test('while no model starts, nobody waits for its answers; when one does, they come', async () => {
  await using station = openStation([observation(1, 5)])
  const { host, events } = station
  expect(host.isHopeful()).toBe(true)
  host.want(source('broken'))
  await vi.waitFor(() => expect(host.isHopeful()).toBe(false))
  expect(events[0]).toBe('runs null')
  host.want(source('a'))
  await vi.waitFor(() => expect(station.predicted).toEqual([1]))
  expect(host.isHopeful()).toBe(true)
})
