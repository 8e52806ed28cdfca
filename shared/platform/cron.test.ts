import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { schedule } from './cron.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 4, 14) }))
afterEach(() => void vi.useRealTimers())

test('a task that takes longer than its period runs again after its end, never beside itself', async () => {
  let running = 0
  let most = 0
  let ended = 0
  const task = async (): Promise<void> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 2500))
    running--
    ended++
  }
  const scheduled = schedule('* * * * * *', 'UTC', task)
  await vi.advanceTimersByTimeAsync(20_000)
  scheduled[Symbol.dispose]()
  expect(most).toBe(1)
  expect(ended).toBeGreaterThan(4)
  const before = ended
  await vi.advanceTimersByTimeAsync(10_000)
  expect(ended - before).toBeLessThanOrEqual(1)
})

test('times are those of the zone', async () => {
  const at: number[] = []
  const scheduled = schedule('30 3 * * *', 'Europe/Zurich', async () => void at.push(new Date().getUTCHours()))
  await vi.advanceTimersByTimeAsync(24 * 3_600_000)
  scheduled[Symbol.dispose]()
  expect(at).toEqual([1])
})

test('what is no cron expression is refused', () => {
  expect(() => schedule('every night', 'UTC', async () => {})).toThrow('"every night" is not a cron expression')
})
