/** Token files are whole or absent: whoever is killed, runs beside, or finds no room. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { someSurveys, writeGeoPlantFolder } from '#test/support/geoplant-files.ts'

const CHILD = new URL('./token-file-child.ts', import.meta.url)

let folder: string
let data: string
let cache: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-fault-'))
  data = join(folder, 'data')
  await writeGeoPlantFolder(data, someSurveys(60, 20))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  cache = await mkdtemp(join(folder, 'cache-'))
})

type Message = {
  readonly note?: string
  readonly hash?: string
  readonly sums?: readonly number[]
  readonly failed?: string
}

/** Its last message, and its messages one by one. */
const messagesOf = async (child: ChildProcess, seen: (message: Message) => void = () => {}): Promise<Message> => {
  let last: Message = {}
  child.on('message', (message: Message) => {
    last = message
    seen(message)
  })
  await once(child, 'exit')
  return last
}

test('a process that is killed while it writes leaves nothing that another one stumbles over', async () => {
  const child = fork(CHILD, [data, cache])
  await messagesOf(child, ({ note }) => {
    if (note?.includes('70 %')) child.kill('SIGKILL')
  })
  expect(await readdir(cache)).toEqual([expect.stringMatching(/^\w+\.tokens\.\d+\.part$/)])
  const after = await messagesOf(fork(CHILD, [data, cache]))
  expect(await readdir(cache)).toEqual([expect.stringMatching(/^\w+\.tokens$/)])
  const undisturbed = await messagesOf(fork(CHILD, [data, join(folder, 'other')]))
  expect(undisturbed.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(after).toEqual(undisturbed)
})

test('processes that make it at the same time all have the whole set, and one file stays', async () => {
  const answers = await Promise.all([1, 2, 3].map(() => messagesOf(fork(CHILD, [data, cache]))))
  expect(answers[0]!.sums!.length).toBeGreaterThan(20)
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
  expect(await readdir(cache)).toEqual([expect.stringMatching(/^\w+\.tokens$/)])
})

test.skipIf(process.platform === 'win32')('no room for it: a clear error, and nothing is left', async () => {
  // Files of at most half a MiB or one: what a full disk does to one that grows.
  const command = `ulimit -f 1024; exec "$0" "$@"`
  const child = spawn('sh', ['-c', command, process.execPath, fileURLToPath(CHILD), data, cache], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  expect(await messagesOf(child)).toEqual({ failed: 'disk-full' })
  expect(await readdir(cache)).toEqual([])
})
