import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeploymentId, ReadingId } from '#shared/domain/ids.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { countObservations, openObservationTable } from './observations.ts'
import { OBSERVING_SCHEMA_SQL } from './schema.ts'
import type { Joining, ObservationChange, WindowOptions } from './windows.ts'

const withTable = <T>(
  options: WindowOptions,
  use: (table: ReturnType<typeof openObservationTable>, database: Database) => T,
) => {
  const database = openDatabase(':memory:', [OBSERVING_SCHEMA_SQL])
  try {
    return use(openObservationTable(database, options), database)
  } finally {
    database.close()
  }
}

/** What must be told, found the slow way: everything that has come so far is looked at again for each group. */
const oracle = (options: WindowOptions) => {
  const seen: Joining[] = []
  const told = new Map<string, { readings: string; revision: number; final: boolean }>()
  return (
    group: readonly Joining[],
    nowMs: number,
  ): Map<string, { readings: string; revision: number; final: boolean }> => {
    seen.push(...group)
    for (const { deployment, observedAtMs } of seen) {
      if (observedAtMs === null) continue
      const startMs = Math.floor(observedAtMs / options.ms) * options.ms
      const members = seen.filter(
        (it) =>
          it.deployment === deployment &&
          it.observedAtMs !== null &&
          it.observedAtMs >= startMs &&
          it.observedAtMs < startMs + options.ms,
      )
      const times = seen.flatMap((it) =>
        it.deployment === deployment && it.observedAtMs !== null ? [it.observedAtMs] : [],
      )
      const timeMs = options.time === 'wall' ? nowMs : Math.max(...times)
      const key = `${deployment}/${startMs}`
      const before = told.get(key)
      const readings = members.map(({ id }) => id).join()
      told.set(key, {
        readings,
        revision: before === undefined ? 1 : before.revision + (before.readings === readings ? 0 : 1),
        final: (before?.final ?? false) || startMs + options.ms + options.allowedLatenessMs <= timeMs,
      })
    }
    return told
  }
}

const scene = fc.record({
  time: fc.constantFrom('wall' as const, 'readings' as const),
  ms: fc.constantFrom(100, 250),
  allowedLatenessMs: fc.constantFrom(0, 60, 500),
  groups: fc.array(
    fc.record({
      stepMs: fc.integer({ min: 0, max: 400 }),
      readings: fc.array(
        fc.record({
          deployment: fc.constantFrom('a', 'b'),
          observedAtMs: fc.option(fc.integer({ min: 0, max: 1500 }), { freq: 8 }),
        }),
        { maxLength: 6 },
      ),
    }),
    { maxLength: 12 },
  ),
})

test('whatever the order and lateness, observations are what a slow look at all readings says', () => {
  fc.assert(
    fc.property(scene, ({ groups, ...options }) =>
      withTable(options, (table, database) => {
        const expectedAfter = oracle(options)
        const told = new Map<string, ObservationChange>()
        let nowMs = 0
        let number = 0
        for (const { stepMs, readings } of groups) {
          nowMs += stepMs
          const group = readings.map(({ deployment, observedAtMs }) => ({
            number: ++number,
            id: `r${number}` as ReadingId,
            deployment: deployment as DeploymentId,
            observedAtMs,
          }))
          const changes = [...table.join(group, nowMs), ...table.endPassed(nowMs, 100)]
          for (const change of changes) {
            const before = told.get(change.id)
            // Nothing is told twice, revisions count up by one, and an end changes nothing else.
            if (change.what === 'revised') expect(change.revision).toBe((before?.revision ?? 0) + 1)
            else
              expect({ ...change, final: false, what: 'revised' }).toEqual({ ...before, final: false, what: 'revised' })
            if (change.what === 'ended') expect(before?.final).toBe(false)
            told.set(change.id, change)
          }
          const expected = expectedAfter(group, nowMs)
          expect(
            new Map(
              [...told].map(([id, { readings: ids, revision, final }]) => [
                id,
                { readings: ids.join(), revision, final },
              ]),
            ),
          ).toEqual(new Map([...expected].map(([id, it]) => [id, it])))
        }
        const counts = countObservations(database)
        expect(counts.observations).toBe(told.size)
        expect(counts.revisions).toBe([...told.values()].reduce((sum, { revision }) => sum + revision, 0))
        expect(counts.final).toBe([...told.values()].filter(({ final }) => final).length)
      }),
    ),
    { numRuns: 150 },
  )
})

test('a late reading reopens a final observation as the next revision, final at once', () => {
  withTable({ ms: 100, allowedLatenessMs: 50, time: 'readings' }, (table) => {
    const join = (number: number, observedAtMs: number) =>
      table
        .join([{ number, id: `r${number}` as ReadingId, deployment: 'a' as DeploymentId, observedAtMs }], 0)
        .map(({ id, revision, final, what, readings }) => [id, revision, final, what, readings.join()])
    expect(join(1, 10)).toEqual([['a/0', 1, false, 'revised', 'r1']])
    expect(join(2, 149)).toEqual([['a/100', 1, false, 'revised', 'r2']])
    expect(join(3, 150)).toEqual([
      ['a/100', 2, false, 'revised', 'r2,r3'],
      ['a/0', 1, true, 'ended', 'r1'],
    ])
    expect(join(4, 20)).toEqual([['a/0', 2, true, 'revised', 'r1,r4']])
  })
})
