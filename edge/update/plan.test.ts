/** The machine against random histories: releases of every kind, crashes at every point, nothing kept but the tables. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ModelVersion, Sha256 } from '#shared/domain/ids.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { MAX_STEPS, planUpdate, type UpdateStep } from './plan.ts'
import { reduce, type UpdateEvent } from './reduce.ts'
import { type BundleRef, initialState, type UpdateState } from './state.ts'
import { loadState, saveState, UPDATE_SCHEMA_SQL } from './tables.ts'

/** What the world holds behind a release. */
type Nature =
  | 'good'
  | 'forged'
  | 'wrongManifest'
  | 'corruptOnce'
  | 'alwaysCorrupt'
  | 'failsTrial'
  | 'crashesTrial'
  | 'failsService'
const NATURES: readonly Nature[] = [
  'good',
  'forged',
  'wrongManifest',
  'corruptOnce',
  'alwaysCorrupt',
  'failsTrial',
  'crashesTrial',
  'failsService',
]

const key = { family: 'valley', cohort: 'all' }
const hash = (name: string): Sha256 => Buffer.from(name).toString('hex').padEnd(64, '0') as Sha256
const object = (name: string) => ({ sha256: hash(name), length: 100 })
const bundleOf = (counter: number): BundleRef => ({
  release: hash(`r${counter}`),
  releaseCounter: counter,
  version: `valley@${counter}` as ModelVersion,
  manifest: object(`m${counter}`),
  model: object(`w${counter}`),
  vectors: object(`v${counter}`),
})

/** A station whose process may die at any moment; `state` is re-read from its tables then. */
const makeStation = (natures: ReadonlyMap<number, Nature>) => {
  const database: Database = openDatabase(':memory:', [UPDATE_SCHEMA_SQL])
  let state: UpdateState = loadState(database, key)
  const corrupted = new Set<number>()

  const apply = (event: UpdateEvent) => {
    state = reduce(state, event)
    saveState(database, key, state, () => {})
  }
  const crash = () => {
    state = loadState(database, key)
    apply({ kind: 'booted' })
  }

  /** What the world answers to a step; 'crash' when the station dies of it. */
  const answer = (step: UpdateStep): UpdateEvent | 'crash' | null => {
    const counter = state.attempt?.releaseCounter ?? 0
    const nature = natures.get(counter) ?? 'good'
    switch (step.kind) {
      case 'resolve':
        return nature === 'forged'
          ? { kind: 'refused', reason: 'bad-release', blame: false }
          : { kind: 'resolved', bundle: bundleOf(counter) }
      case 'download':
        if (nature === 'wrongManifest') return { kind: 'refused', reason: 'wrong-manifest', blame: true }
        if (nature === 'alwaysCorrupt' || (nature === 'corruptOnce' && !corrupted.has(counter))) {
          corrupted.add(counter)
          return { kind: 'corrupt' }
        }
        return { kind: 'downloaded' }
      case 'probe':
        if (nature === 'crashesTrial') return 'crash'
        return nature === 'failsTrial' ? { kind: 'probeFailed', reason: 'logits differ' } : { kind: 'probed' }
      case 'activate':
        return { kind: 'activated' }
      default:
        return null
    }
  }

  return {
    state: () => state,
    apply,
    crash,
    /** One turn of the loop; false when there is nothing to do. */
    step: (dies: 'never' | 'before' | 'after' = 'never'): boolean => {
      const step = planUpdate(state)
      if (step.kind === 'wait') return false
      apply({ kind: 'begun', step })
      if (dies === 'before') {
        crash()
        return true
      }
      const event = answer(step)
      if (event === 'crash' || dies === 'after') crash()
      else if (event !== null) apply(event)
      return true
    },
    /** The active model answers an observation, or its process fails. */
    serve: () => {
      if (state.slot.kind !== 'trial') return
      const isBad = natures.get(state.slot.active.releaseCounter) === 'failsService'
      apply(isBad ? { kind: 'failedToServe', reason: 'it does not load' } : { kind: 'served' })
    },
    desire: (generation: number, releaseCounter: number) => {
      if (generation <= (state.desired?.generation ?? 0)) return
      apply({
        kind: 'desired',
        desired: {
          generation,
          document: hash(`d${generation}`),
          release: object(`r${releaseCounter}`),
          releaseCounter,
        },
      })
    },
    close: () => database.close(),
  }
}

type Op =
  /** A desired state with the next generation; its release is mostly the next one too. */
  | { readonly kind: 'desire'; readonly ahead: number }
  | { readonly kind: 'step'; readonly dies: 'never' | 'before' | 'after' }
  | { readonly kind: 'serve' }
  | { readonly kind: 'crash' }

const opArbitrary: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('desire' as const), ahead: fc.constantFrom(1, 1, 1, 1, 2, 0, -1) }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      dies: fc.constantFrom('never', 'never', 'never', 'before', 'after'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'serve' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
)

const naturesArbitrary = fc
  .array(fc.oneof(fc.constant('good' as const), fc.constantFrom(...NATURES)), { minLength: 12, maxLength: 12 })
  .map((list) => new Map(list.map((nature, i) => [i + 1, nature] as const)))

describe('the update machine', () => {
  test('keeps a good model through any history, and converges afterwards', { timeout: 60_000 }, () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(naturesArbitrary, fc.array(opArbitrary, { maxLength: 150, size: 'max' }), (natures, ops) => {
        const station = makeStation(natures)
        let generation = 0
        let hadModel = false
        let floor = 0
        let counter = 0
        for (const op of ops) {
          if (op.kind === 'desire') {
            counter = Math.min(12, Math.max(1, counter + op.ahead))
            station.desire(++generation, counter)
          } else if (op.kind === 'step') station.step(op.dies)
          else if (op.kind === 'serve') station.serve()
          else station.crash()

          const { slot, attempt, floor: now, quarantine } = station.state()
          seen.add(attempt?.kind ?? 'none')
          if (hadModel)
            expect(slot.kind === 'trial' ? slot.previous : slot.kind).not.toBe(slot.kind === 'trial' ? null : 'empty')
          hadModel ||= slot.kind === 'good'
          if (slot.kind !== 'empty') {
            const nature = natures.get(slot.active.releaseCounter)
            expect(slot.kind === 'good' ? ['good', 'corruptOnce'] : ['good', 'corruptOnce', 'failsService']).toContain(
              nature,
            )
          }
          if (slot.kind === 'good') expect(slot.active.releaseCounter).toBe(now?.counter)
          expect(now?.counter ?? 0).toBeGreaterThanOrEqual(floor)
          floor = now?.counter ?? 0
          expect(attempt?.steps ?? 0).toBeLessThanOrEqual(MAX_STEPS)
          if (quarantine !== null) expect(natures.get(quarantine.counter)).not.toBe('forged')
        }
        station.desire(++generation, 13)
        let steps = 0
        for (let round = 0; round < 3; round++) {
          while (station.step()) expect(++steps).toBeLessThan(20)
          station.serve()
        }
        expect(station.state()).toMatchObject({
          slot: { kind: 'good', active: { releaseCounter: 13 } },
          attempt: { kind: 'confirmed', generation },
        })
        station.close()
      }),
      { numRuns: 120 },
    )
    // The histories reached every state, so the invariants above were tried in all of them.
    expect([...seen].sort()).toEqual(
      [
        'activating',
        'confirmed',
        'downloading',
        'none',
        'rejected',
        'resolving',
        'trial',
        'verified',
        'wentBack',
      ].sort(),
    )
  })

  test('ends after a bounded number of steps when the station dies at each', () => {
    for (const dies of ['before', 'after'] as const) {
      const station = makeStation(new Map())
      station.desire(1, 1)
      let steps = 0
      while (station.step(dies)) expect(++steps).toBeLessThan(MAX_STEPS + 5)
      expect(station.state().attempt).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('loop') })
      expect(station.state().slot).toEqual({ kind: 'empty' })
    }
  })

  const run = (natures: readonly Nature[]) => {
    const station = makeStation(new Map(natures.map((nature, i) => [i + 1, nature] as const)))
    natures.forEach((_, i) => {
      station.desire(i + 1, i + 1)
      while (station.step());
      station.serve()
      while (station.step());
    })
    return station
  }
  const outcomes: readonly (readonly [Nature, object])[] = [
    ['good', { kind: 'confirmed' }],
    ['corruptOnce', { kind: 'confirmed' }],
    ['forged', { kind: 'rejected', reason: 'bad-release', bundle: null }],
    ['wrongManifest', { kind: 'rejected', reason: 'wrong-manifest' }],
    ['alwaysCorrupt', { kind: 'rejected', reason: expect.stringMatching(/^corrupt-object/) }],
    ['failsTrial', { kind: 'rejected', reason: 'trial-failed: logits differ' }],
    ['crashesTrial', { kind: 'rejected', reason: expect.stringMatching(/^trial-failed: the station stopped/) }],
    ['failsService', { kind: 'wentBack', reason: 'it does not load' }],
  ]
  test.each(outcomes)('after a good model, one that is %s', (nature, expected) => {
    const { state } = run(['good', nature])
    expect(state().attempt).toMatchObject(expected)
    const isTaken = nature === 'good' || nature === 'corruptOnce'
    expect(state().slot).toMatchObject({ kind: 'good', active: { releaseCounter: isTaken ? 2 : 1 } })
  })

  test('goes back at the third start without a verdict', () => {
    const station = makeStation(new Map())
    station.desire(1, 1)
    while (station.step());
    station.serve()
    station.desire(2, 2)
    while (station.step());
    station.crash()
    station.crash()
    expect(station.step()).toBe(false)
    expect(station.state().slot).toMatchObject({ kind: 'trial', active: { releaseCounter: 2 } })
    station.crash()
    expect(station.step()).toBe(true)
    expect(station.state()).toMatchObject({
      slot: { kind: 'good', active: { releaseCounter: 1 } },
      attempt: { kind: 'wentBack' },
      quarantine: { counter: 2 },
    })
  })

  test('does not repeat a failed counter, an older one, or another release of the same counter', () => {
    const station = run(['good', 'good', 'failsTrial'])
    const refusalOf = (generation: number, counter: number) => {
      station.desire(generation, counter)
      while (station.step());
      const { attempt } = station.state()
      return attempt?.kind === 'rejected' ? attempt.reason.split(':')[0] : attempt?.kind
    }
    expect(refusalOf(4, 3)).toBe('quarantined')
    expect(refusalOf(5, 1)).toBe('older-release')
    expect(refusalOf(6, 2)).toBe('confirmed') // it is what runs
    station.apply({
      kind: 'desired',
      desired: { generation: 7, document: hash('d7'), release: object('another'), releaseCounter: 2 },
    })
    while (station.step());
    expect(station.state().attempt).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^forked-release/),
    })
    expect(station.state().slot).toMatchObject({ kind: 'good', active: { releaseCounter: 2 } })
  })

  test('fetches the same release again when its files are damaged', () => {
    const station = run(['good', 'good'])
    station.apply({ kind: 'slotBroken', isPreviousIntact: true })
    expect(station.state().slot).toMatchObject({ kind: 'good', active: { releaseCounter: 1 } })
    while (station.step());
    station.serve()
    expect(station.state()).toMatchObject({
      slot: { kind: 'good', active: { releaseCounter: 2 } },
      attempt: { kind: 'confirmed' },
    })
  })
})

describe('the tables', () => {
  test('give back every state that was saved, and nothing of another cohort', () => {
    const station = makeStation(new Map([[2, 'failsTrial']]))
    const database = openDatabase(':memory:', [UPDATE_SCHEMA_SQL])
    const roundTrip = () => {
      saveState(database, key, station.state(), () => {})
      expect(loadState(database, key)).toEqual(station.state())
    }
    roundTrip()
    for (const counter of [1, 2, 3]) {
      station.desire(counter, counter)
      while (station.step()) roundTrip()
      station.serve()
      roundTrip()
    }
    const elsewhere = loadState(database, { ...key, cohort: 'other' })
    expect(elsewhere).toMatchObject({ desired: null, attempt: null, slot: { active: { releaseCounter: 3 } } })
    expect(loadState(database, { ...key, family: 'none' })).toEqual(initialState)
  })

  test('change as a whole or not at all', () => {
    const database = openDatabase(':memory:', [UPDATE_SCHEMA_SQL])
    const desired = { generation: 1, document: hash('d'), release: object('r1'), releaseCounter: 1 }
    const next = reduce(initialState, { kind: 'desired', desired })
    expect(() =>
      saveState(database, key, next, () => {
        throw new Error('the report could not be written')
      }),
    ).toThrow('the report')
    expect(loadState(database, key)).toEqual(initialState)
  })
})
