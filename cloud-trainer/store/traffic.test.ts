import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { type Intake, parseIntake } from '#shared/wire/intake.ts'
import { envelope, HOUR_MS, predictionRow, reportRow } from '#test/support/station-rows.ts'
import { CLOUD_MIGRATIONS } from './schema.ts'
import { type CloudStore, openStore } from './store.ts'

const WEEK_MS = 7 * 24 * HOUR_MS
const NOW_MS = 3000 * WEEK_MS + HOUR_MS

let folder: string
let store: CloudStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'traffic-'))
  store = openStore(join(folder, 'cloud.db'))
})
afterEach(() => {
  store[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

const rows = (list: readonly unknown[], node = 'n1', epoch = 'e1'): Intake => {
  const intake = parseIntake(`us/up/${node}/${epoch}/data`, envelope(list))
  if (intake === null) throw new Error('rows are taken in')
  return intake
}
const traffic = (weeks = 8, family = 'valley') =>
  store.traffic({ family, nowMs: NOW_MS, weeks }).map((it) => [it.modalities.join('+'), it.predictions])

test('predictions are counted by the modalities of which something was visible, whatever their order', () => {
  store.takeIn(
    [
      rows([
        predictionRow(1, { weather: 2, camera: 1, audio: 0 }),
        predictionRow(2, { camera: 2, audio: 0, weather: 1 }),
        predictionRow(3, { weather: 0, camera: 0, audio: 0 }),
        predictionRow(4, {}),
        predictionRow(5, { audio: 1 }),
        reportRow(6),
      ]),
    ],
    NOW_MS,
  )
  expect(traffic()).toEqual([
    ['camera+weather', 2],
    ['', 2],
    ['audio', 1],
  ])
})

test('only those of the family count, of all its models', () => {
  const of = (seq: number, model: string) => predictionRow(seq, { camera: 1 }, { model })
  store.takeIn([rows([of(1, 'valley@a'), of(2, 'valley@b'), of(3, 'valley2@a'), of(4, 'other-valley@a')])], NOW_MS)
  expect(traffic()).toEqual([['camera', 2]])
  expect(traffic(8, 'valley2')).toEqual([['camera', 1]])
})

test('old weeks of arrival and those to come are left out, whatever the clock of the station says', () => {
  for (const age of [0, 1, 2, 3, -1, -500]) {
    const row = predictionRow(age + 1000, { camera: 1 }, { predictedAtMs: 99 * NOW_MS })
    store.takeIn([rows([row])], NOW_MS - age * WEEK_MS)
  }
  expect([1, 2, 3, 4, 8].map((weeks) => traffic(weeks)[0]?.[1])).toEqual([1, 2, 3, 4, 4])
})

test('what arrives again in any grouping counts once, and what was not stored not at all', () => {
  let run = 0
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 6 }), { maxLength: 10 }),
      (messages) => {
        const node = `p${++run}`
        const model = `${node}@a`
        for (const seqs of messages) {
          store.takeIn(
            [
              rows(
                seqs.map((seq) => predictionRow(seq, { camera: 1 }, { model })),
                node,
              ),
            ],
            NOW_MS,
          )
        }
        const distinct = new Set(messages.flat()).size
        expect(traffic(8, node)).toEqual(distinct === 0 ? [] : [['camera', distinct]])
      },
    ),
    { numRuns: 40 },
  )
  const broken = {
    kind: 'rows',
    node: 'n1',
    epoch: 'e1',
    rows: [{ seq: 2, ok: true, body: { kind: 'none' } }],
  } as never
  expect(() => store.takeIn([rows([predictionRow(1, { camera: 1 })]), broken], NOW_MS)).toThrow()
  expect(traffic()).toEqual([])
})

test('a store of the first version knows what was predicted before, by what is known of the time', () => {
  const file = join(folder, 'old.db')
  const old = openDatabase(file, CLOUD_MIGRATIONS.slice(0, 1))
  old.exec(`INSERT INTO epoch (node, name, first_seen_ms, last_seen_ms) VALUES ('n1', 'e1', 0, ${NOW_MS - WEEK_MS})`)
  const insert = old.prepare('INSERT INTO prediction VALUES (?, ?, 1, ?, 1, ?, ?)')
  const add = (seq: number, visible: Readonly<Record<string, number>>, predictedAtMs: number): void => {
    const { body } = predictionRow(seq, visible, { predictedAtMs })
    insert.run('n1', 'd1/0', seq, 'valley@a', JSON.stringify(body))
  }
  add(1, { weather: 1, 'a "quoted" name': 2, camera: 0 }, NOW_MS - WEEK_MS - 2 * HOUR_MS)
  add(2, { 'a "quoted" name': 1, weather: 1 }, 99 * NOW_MS)
  add(3, { camera: 0 }, NOW_MS - 2 * WEEK_MS)
  add(4, {}, NOW_MS - 2 * WEEK_MS)
  add(5, { camera: 1 }, NOW_MS - 20 * WEEK_MS)
  old.close()
  store[Symbol.dispose]()
  store = openStore(file)
  const named = 'a "quoted" name+weather'
  expect(traffic()).toEqual([
    [named, 2],
    ['', 2],
  ])
  expect(traffic(2)).toEqual([[named, 1]])
  expect(traffic(21)).toContainEqual(['camera', 1])

  // The same subset, counted by the program and not by the migration, is the same one.
  store.takeIn([rows([predictionRow(9, { weather: 1, 'a "quoted" name': 1 })])], NOW_MS)
  expect(traffic()[0]).toEqual([named, 3])
})
