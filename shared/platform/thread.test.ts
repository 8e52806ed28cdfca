import { expect, test } from 'vitest'
import type { EchoRequest } from '#test/support/echo-worker.ts'
import { openThread } from './thread.ts'

const open = () => {
  const closed = new Int32Array(new SharedArrayBuffer(4))
  const entry = new URL('../../test/support/echo-worker.ts', import.meta.url)
  return { closed, thread: openThread<EchoRequest, Float32Array>(entry, { closed }) }
}

const double = (...values: number[]): EchoRequest => ({ kind: 'double', values: Float32Array.from(values) })

test('requests are answered in order, and buffers move when told to', async () => {
  const { thread, closed } = open()
  const moving = Float32Array.of(4)
  const answers = await Promise.all([
    thread.ask(double(1, 2)),
    thread.ask(double(3)),
    thread.ask({ kind: 'double', values: moving }, [moving.buffer]),
  ])
  expect(answers.map((answer) => [...answer])).toEqual([[2, 4], [6], [8]])
  expect(moving.length).toBe(0)
  await thread.close()
  expect(closed[0]).toBe(1)
})

test('closing waits for what was asked', async () => {
  const { thread } = open()
  const answer = thread.ask(double(5))
  await thread.close()
  expect([...(await answer)]).toEqual([10])
})

test('a request that throws fails alone', async () => {
  const { thread } = open()
  await expect(thread.ask({ kind: 'throw' })).rejects.toMatchObject({
    code: 'failed',
    cause: { message: 'this request is refused' },
  })
  expect([...(await thread.ask(double(1)))]).toEqual([2])
  await thread.close()
})

test('a thread that ends fails what waits and what comes', async () => {
  const { thread } = open()
  const asked = [thread.ask({ kind: 'exit' }), thread.ask(double(1))]
  for (const { reason } of (await Promise.allSettled(asked)) as PromiseRejectedResult[]) {
    expect(reason).toMatchObject({ code: 'ended' })
  }
  await expect(thread.ask(double(1))).rejects.toMatchObject({ code: 'ended' })
  await thread.close()
})
