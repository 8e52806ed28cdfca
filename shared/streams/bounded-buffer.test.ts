import fc from 'fast-check'
import { concatMap, from, lastValueFrom, NEVER, type Observable, of, Subject, throwError, toArray } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { expect, test } from 'vitest'
import { boundedBuffer } from './bounded-buffer.ts'

/** Offers all values at once to work that waits, then lets the work go on step by step. */
const pressed = (overflow: 'drop-oldest' | 'drop-newest', capacity: number, count: number) => {
  const source$ = new Subject<number>()
  const started: Subject<number>[] = []
  const dropped: number[] = []
  const results: number[] = []
  let isComplete = false
  source$
    .pipe(
      boundedBuffer(
        {
          capacity,
          overflow,
          onDrop: (value, droppedCount) => {
            dropped.push(value)
            expect(droppedCount).toBe(dropped.length)
          },
        },
        () => {
          const work$ = new Subject<number>()
          started.push(work$)
          return work$
        },
      ),
    )
    .subscribe({ next: (value) => results.push(value), complete: () => (isComplete = true) })
  for (let i = 0; i < count; i++) source$.next(i)
  source$.complete()
  return { started, dropped, results, isComplete: () => isComplete }
}

test('keeps the first or the last values when full, and says which are lost', () => {
  expect(pressed('drop-newest', 2, 6).dropped).toEqual([3, 4, 5])
  expect(pressed('drop-oldest', 2, 6).dropped).toEqual([1, 2, 3])
  expect(pressed('drop-oldest', 2, 3).dropped).toEqual([])
})

test('one work at a time, in order; completes when the last is done', () => {
  const { started, results, isComplete } = pressed('drop-newest', 9, 3)
  for (let i = 0; i < 3; i++) {
    expect([started.length, isComplete()]).toEqual([i + 1, false])
    started[i]!.next(i * 10)
    started[i]!.complete()
  }
  expect([results, isComplete()]).toEqual([[0, 10, 20], true])
})

test('is concatMap as long as nothing overflows', () => {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected))
  scheduler.run(({ cold, hot, expectObservable, expectSubscriptions }) => {
    const project = (value: string): Observable<string> =>
      value === 'e' ? throwError(() => 'error') : cold(`--${value}-|`)
    for (const marbles of ['-a--b---c--|', 'abc|', '--|', 'ab-e|', '(abc|)']) {
      const source$ = hot(marbles)
      const unlimited = { capacity: 9, overflow: 'drop-newest' as const }
      expectObservable(source$.pipe(boundedBuffer(unlimited, project))).toEqual(cold(marbles).pipe(concatMap(project)))
    }
    const work$ = cold('----|')
    expectObservable(hot('a-------').pipe(boundedBuffer({ capacity: 1, overflow: 'drop-newest' }, () => work$)), '--!')
    expectSubscriptions(work$.subscriptions).toBe('^-!')
  })
})

test('every value comes out or is reported as lost, in order, whatever the pressure', async () => {
  const steps = fc.array(fc.constantFrom('offer', 'finish'), { maxLength: 200 })
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom('drop-oldest', 'drop-newest'),
      (all, capacity, overflow) => {
        const source$ = new Subject<number>()
        const dropped: number[] = []
        const out: number[] = []
        let finish: (() => void) | undefined
        let waitingCount = 0
        const onDrop = (value: number) => dropped.push(value)
        source$
          .pipe(
            boundedBuffer({ capacity, overflow, onDrop }, (value) => {
              const work$ = new Subject<number>()
              finish = () => {
                finish = undefined
                work$.next(value)
                work$.complete()
              }
              return work$
            }),
          )
          .subscribe((value) => out.push(value))
        let offered = 0
        for (const step of all) {
          if (step === 'offer') source$.next(offered++)
          else finish?.()
          waitingCount = offered - out.length - dropped.length - (finish ? 1 : 0)
          expect(waitingCount).toBeLessThanOrEqual(capacity)
        }
        while (finish) finish()
        expect(out).toEqual([...out].sort((a, b) => a - b))
        expect([...out, ...dropped].sort((a, b) => a - b)).toEqual(Array.from({ length: offered }, (_, i) => i))
      },
    ),
  )
})

test('synchronous work on a long source stays flat; an error of the work or the source ends all', async () => {
  const options = { capacity: 1, overflow: 'drop-newest' } as const
  const many$ = from(Array.from({ length: 100_000 }, (_, i) => i))
  expect(await lastValueFrom(many$.pipe(boundedBuffer(options, (i) => of(i))))).toBe(99_999)
  const broken = () => {
    throw new Error('thrown')
  }
  await expect(lastValueFrom(of(1).pipe(boundedBuffer(options, broken)))).rejects.toThrow('thrown')
  const source$ = throwError(() => new Error('gone'))
  await expect(
    lastValueFrom(
      source$.pipe(
        boundedBuffer(options, () => NEVER),
        toArray(),
      ),
    ),
  ).rejects.toThrow('gone')
})
