import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReadingId, SensorId } from '#shared/domain/ids.ts'
import type { WireRow } from '#shared/wire/envelope.ts'
import { type Intake, parseIntake } from '#shared/wire/intake.ts'
import { envelope, HOUR_MS, labelMessage, observationRow, readingRow, reportRow } from '#test/support/station-rows.ts'
import { type CloudStore, openStore, readStore } from './store.ts'

let folder: string
let store: CloudStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'))
  store = openStore(join(folder, 'cloud.db'))
})
afterEach(() => {
  store[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

const intakeOf = (topic: string, payload: Uint8Array): Intake => {
  const intake = parseIntake(topic, payload)
  if (intake === null) throw new Error(`${topic} is not taken in`)
  return intake
}
const rows = (list: readonly unknown[], node = 'n1', epoch = 'e1') =>
  intakeOf(`us/up/${node}/${epoch}/data`, envelope(list))
const label = (id: string, observation: string, present: string[] = [], absent: string[] = []) =>
  intakeOf('us/labels/survey', labelMessage(id, observation, present, absent))

describe('taking in', () => {
  test('a receipt names nothing of a group that was not stored', () => {
    store.takeIn([rows([reportRow(1), reportRow(4)])], 1)
    const broken = { seq: 3, ok: true, body: { kind: 'of no kind' } } as never
    expect(() =>
      store.takeIn([rows([reportRow(2)]), { kind: 'rows', node: 'n1', epoch: 'e1', rows: [broken] }], 1),
    ).toThrow()
    expect(store.takeIn([rows([reportRow(6)])], 1).receipts).toEqual([
      {
        node: 'n1',
        epoch: 'e1',
        upTo: 1,
        ranges: [
          [4, 4],
          [6, 6],
        ],
      },
    ])
  })

  test('any order, repetition and grouping of rows stores each once and ends at the same receipt', () => {
    let run = 0
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }), { maxLength: 12 }),
        (messages) => {
          const node = `p${++run}`
          const stored = new Set<number>()
          for (const seqs of messages) {
            const unseen = new Set(seqs.filter((seq) => !stored.has(seq)))
            const taken = store.takeIn([rows(seqs.map(reportRow), node)], 1)
            for (const seq of seqs) stored.add(seq)
            expect(taken.newRows).toBe(unseen.size)
            const [receipt] = taken.receipts
            const named = new Set<number>()
            for (let seq = 1; seq <= receipt!.upTo; seq++) named.add(seq)
            for (const [first, last] of receipt!.ranges) for (let seq = first; seq <= last; seq++) named.add(seq)
            expect([...named].sort((a, b) => a - b)).toEqual([...stored].sort((a, b) => a - b))
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('receipts have at most 64 ranges, and name the lowest', () => {
    const taken = store.takeIn([rows(Array.from({ length: 100 }, (_, i) => reportRow(2 * i + 2)))], 1)
    expect(taken.receipts[0]).toMatchObject({ upTo: 0 })
    expect(taken.receipts[0]?.ranges).toHaveLength(64)
    expect(taken.receipts[0]?.ranges.at(-1)).toEqual([128, 128])
  })

  test('epochs of a node are counted apart, each with one receipt a group', () => {
    const taken = store.takeIn(
      [rows([reportRow(1)]), rows([reportRow(2)]), rows([reportRow(1)], 'n1', 'e2'), rows([reportRow(2)], 'n2')],
      7,
    )
    expect(taken.receipts).toEqual([
      { node: 'n1', epoch: 'e1', upTo: 2, ranges: [] },
      { node: 'n1', epoch: 'e2', upTo: 1, ranges: [] },
      { node: 'n2', epoch: 'e1', upTo: 0, ranges: [[2, 2]] },
    ])
    expect(store.epochs()[0]).toEqual({ node: 'n1', epoch: 'e1', upTo: 2, lastSeenMs: 7 })
  })

  test('a wrong row is kept with its reason and counts as received', () => {
    const taken = store.takeIn([rows([{ seq: 1, body: { kind: 'sonar' } }, reportRow(2)])], 5)
    expect(taken.receipts[0]).toMatchObject({ upTo: 2, ranges: [] })
    expect(store.rejected(10)).toMatchObject([{ seq: 1, reason: 'wrong-row', receivedAtMs: 5 }])
    expect(store.counts()).toMatchObject({ rows: 2, 'rejected:wrong-row': 1 })
    store.takeIn([rows([{ seq: 1, body: { kind: 'sonar' } }])], 6)
    expect(store.rejected(10)).toHaveLength(1)
  })

  test('reports are told once', () => {
    const first = store.takeIn([rows([reportRow(1), readingRow(2)])], 1)
    expect(first.reports).toEqual([{ node: 'n1', ...reportRow(1).body }])
    expect(store.takeIn([rows([reportRow(1)])], 2).reports).toEqual([])
  })

  test('what is rejected stays within its budget', () => {
    store[Symbol.dispose]()
    store = openStore(join(folder, 'small.db'), { quarantineBytes: 3000 })
    for (let i = 0; i < 20; i++) store.takeIn([intakeOf('us/up/n1/e1/data', Buffer.alloc(300, 0x20))], i)
    expect(store.rejected(100).map(({ receivedAtMs }) => receivedAtMs)).toEqual([19, 18, 17, 16, 15, 14])
    expect(store.counts()).toMatchObject({ 'rejected:malformed-json': 20, 'rejected-evicted': 14 })
  })

  test('nothing of a group is stored when one of it fails', () => {
    // A body that no parser lets through: SQLite refuses the missing column, and the transaction goes with it.
    const broken: WireRow[] = [reportRow(1), reportRow(2)]
    const intake = rows(broken)
    if (intake.kind !== 'rows' || intake.rows[1]?.ok !== true) throw new Error('rows expected')
    Reflect.set(intake.rows[1].body, 'detail', null)
    expect(() => store.takeIn([label('l1', 'd1/0'), intake], 1)).toThrow('NOT NULL')
    expect(store.counts()).toEqual({})
    expect(store.epochs()).toEqual([])
    expect(store.takeIn([rows([reportRow(1), reportRow(2)])], 1).newRows).toBe(2)
  })

  test('a reopened store knows what it has', () => {
    store.takeIn([rows([reportRow(1), reportRow(2), reportRow(4)])], 1)
    store[Symbol.dispose]()
    store = openStore(join(folder, 'cloud.db'))
    const taken = store.takeIn([rows([reportRow(2), reportRow(3)])], 2)
    expect(taken).toMatchObject({ newRows: 1, receipts: [{ upTo: 4, ranges: [] }] })
    expect(store.counts()).toMatchObject({ rows: 4, 'rows-repeated': 1 })
  })
})

describe('labelled observations', () => {
  const image = { kind: 'image', width: 2, height: 1, channels: 3, pixels: new Uint8Array([1, 2, 3, 4, 5, 6]) } as const

  test('join the newest revision with its readings and all its labels', () => {
    store.takeIn(
      [
        rows([readingRow(1), readingRow(2, { content: image, modality: 'camera' }), readingRow(3)]),
        rows([observationRow(5, { revision: 2, readings: ['r1', 'r2'] }), observationRow(4, { revision: 1 })]),
        rows([observationRow(6, { revision: 2, readings: ['r1', 'r2'], final: true })]),
        rows([observationRow(7, { id: `d1/${HOUR_MS}`, startMs: HOUR_MS, endMs: 2 * HOUR_MS, readings: ['r3'] })]),
        label('l1', 'd1/0', ['owl'], ['fox']),
        label('l2', 'd1/0', ['fox']),
        label('l2', 'd1/0', ['something else']),
        label('l3', 'd9/0', ['owl']),
      ],
      1,
    )
    const labelled = store.labelledObservations()
    expect(labelled).toHaveLength(1)
    expect(store.labelledCount()).toBe(1)
    expect(readStore(join(folder, 'cloud.db'))).toEqual(labelled)
    expect(labelled[0]?.observation).toMatchObject({ revision: 2, final: true, readings: ['r1', 'r2'] })
    expect(labelled[0]?.readings.map(({ id, content }) => [id, content])).toEqual([
      ['r1', { kind: 'scalars', values: { airTemperatureC: 7.5, humidity: null } }],
      ['r2', image],
    ])
    expect(labelled[0]?.labels.map(({ id, present }) => [id, present])).toEqual([
      ['l1', ['owl']],
      ['l2', ['fox']],
    ])
    expect(store.counts()).toMatchObject({ labels: 3, 'labels-repeated': 1 })
  })

  test('a label may come before its observation', () => {
    store.takeIn([label('l1', 'd1/0', ['owl'])], 1)
    expect(store.labelledObservations()).toEqual([])
    expect(store.labelledCount()).toBe(0)
    store.takeIn([rows([observationRow(1)])], 2)
    expect(store.labelledObservations()).toMatchObject([{ observation: { id: 'd1/0' }, readings: [] }])
  })

  test('a replaced card counts as newer, although its revisions start again', () => {
    store.takeIn([rows([observationRow(1, { revision: 3 })]), label('l1', 'd1/0')], 1)
    store.takeIn([rows([observationRow(1, { revision: 1, readings: ['r8'] })], 'n1', 'e2')], 2)
    store.takeIn([rows([observationRow(2, { revision: 4 })])], 3)
    expect(store.labelledObservations()).toMatchObject([{ observation: { revision: 1, readings: ['r8'] } }])
  })

  test('readings of another sensor or node with the same id are kept apart', () => {
    const other = { id: 'r1' as ReadingId, sensor: 'soil' as SensorId, modality: 'soil' }
    store.takeIn([rows([readingRow(1), readingRow(2, other), observationRow(3)]), label('l1', 'd1/0')], 1)
    store.takeIn([rows([readingRow(1), observationRow(2)], 'n2')], 1)
    expect(store.labelledObservations().map((it) => [it.observation.node, it.readings.map((r) => r.sensor)])).toEqual([
      ['n1', ['soil', 'weather']],
      ['n2', ['weather']],
    ])
    expect(store.labelledCount()).toBe(2)
  })
})
