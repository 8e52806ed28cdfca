import { expect, test } from 'vitest'
import { createGrouping } from './grouping.ts'

const gate = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('a lone item is handled in the next turn, and a burst together', async () => {
  const groups: number[][] = []
  const grouping = createGrouping<number>({
    largest: 3,
    capacity: 10,
    handle: async (group) => void groups.push([...group]),
  })
  grouping.add(1)
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  expect(groups).toEqual([[1]])
  for (const item of [2, 3, 4, 5]) grouping.add(item)
  await grouping.close()
  expect(groups).toEqual([[1], [2, 3, 4], [5]])
})

test('what arrives while a group is handled waits for the next, up to the capacity', async () => {
  const groups: number[][] = []
  const { open, opened } = gate()
  const handle = async (group: readonly number[]) => {
    groups.push([...group])
    await opened
  }
  const grouping = createGrouping<number>({ largest: 10, capacity: 2, handle })
  grouping.add(1)
  await new Promise((resolve) => setImmediate(resolve))
  expect([2, 3, 4].map((item) => grouping.add(item))).toEqual([true, true, false])
  open()
  await grouping.close()
  expect(groups).toEqual([[1], [2, 3]])
  expect(grouping.add(5)).toBe(false)
})
