import { expect, test, vi } from 'vitest'
import { startPullLoop } from './pull-loop.ts'

test('works while there is work, sleeps, and looks again when woken', async () => {
  const waiting = [1, 2, 3]
  const done: number[] = []
  await using loop = startPullLoop({
    work: async () => {
      const next = waiting.shift()
      if (next !== undefined) done.push(next)
      return next !== undefined
    },
    onFailure: () => {},
  })
  await vi.waitFor(() => expect(done).toEqual([1, 2, 3]))
  waiting.push(4)
  loop.wake()
  await vi.waitFor(() => expect(done).toEqual([1, 2, 3, 4]))
})

test('a wake during work is not lost', async () => {
  const gate = Promise.withResolvers<void>()
  let calls = 0
  await using loop = startPullLoop({
    work: async () => {
      calls++
      if (calls === 1) await gate.promise
      return false
    },
    onFailure: () => {},
  })
  await vi.waitFor(() => expect(calls).toBe(1))
  loop.wake()
  gate.resolve()
  await vi.waitFor(() => expect(calls).toBe(2))
})

test('a failure is told and the work repeated', async () => {
  const failures: unknown[] = []
  let calls = 0
  await using _ = startPullLoop({
    work: async () => {
      if (++calls < 3) throw new Error(`failure ${calls}`)
      return false
    },
    onFailure: (cause) => failures.push(String(cause)),
    firstRetryMs: 1,
  })
  await vi.waitFor(() => expect(calls).toBe(3))
  expect(failures).toEqual(['Error: failure 1', 'Error: failure 2'])
})
