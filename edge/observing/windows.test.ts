import { expect, test } from 'vitest'
import type { DeploymentId, ReadingId } from '#shared/domain/ids.ts'
import { groupByWindow, isPassed, type Joining, newestByDeployment, windowOf } from './windows.ts'

const joining = (number: number, deployment: string, observedAtMs: number | null): Joining => ({
  number,
  id: `r${number}` as ReadingId,
  deployment: deployment as DeploymentId,
  observedAtMs,
})

test('windows are half open and aligned to the epoch, before it too', () => {
  const check = (atMs: number, startMs: number) =>
    expect(windowOf(atMs, 100)).toEqual({ startMs, endMs: startMs + 100 })
  check(0, 0)
  check(99, 0)
  check(99.5, 0)
  check(100, 100)
  check(-1, -100)
})

test('readings are grouped by deployment and window, and those without a time join none', () => {
  const groups = groupByWindow(
    [joining(1, 'a', 10), joining(2, 'b', 20), joining(3, 'a', null), joining(4, 'a', 110), joining(5, 'a', 0)],
    100,
  )
  expect(
    groups.map(({ deployment, window, readings }) => [deployment, window.startMs, readings.map((r) => r.number)]),
  ).toEqual([
    ['a', 0, [1, 5]],
    ['b', 0, [2]],
    ['a', 100, [4]],
  ])
})

test('the newest time of a deployment is that of its latest reading with a time', () => {
  const newest = newestByDeployment([joining(1, 'a', 10), joining(2, 'b', null), joining(3, 'a', 5)])
  expect([...newest]).toEqual([['a', 10]])
})

test('a window is passed when its end and the allowed lateness are behind', () => {
  const options = { ms: 100, allowedLatenessMs: 30, time: 'wall' } as const
  expect(isPassed(100, 129, options)).toBe(false)
  expect(isPassed(100, 130, options)).toBe(true)
})
