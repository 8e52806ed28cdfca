import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRandomAccess } from './read-at.ts'
import { openScratchFile } from './scratch-file.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-at-'))
})
afterAll(() => rm(folder, { recursive: true }))

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** What nobody holds is collected, and its finalizers have run. */
const letGo = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) {
    collect()
    await new Promise((done) => setTimeout(done, 10))
  }
}

describe('a file that is open as long as somebody can use it', () => {
  const written = async (text: string): Promise<string> => {
    const file = join(folder, text)
    await writeFile(file, text)
    return file
  }

  test('is read by a function that was taken out of its object', async () => {
    const { read } = openRandomAccess(await written('abcdef'))
    const { append, read: readBack } = openScratchFile(folder)
    append(Buffer.from('uvwxyz'))
    await letGo()
    expect(read(2, 3).toString()).toBe('cde')
    expect(readBack(1, 2).toString()).toBe('vw')
    expect(append(Buffer.from('!'))).toBe(6)
  })

  test.skipIf(process.platform !== 'linux')('is closed when nobody can', async () => {
    const file = await written('alone')
    const isOpen = async (): Promise<boolean> => {
      const names = await readdir('/proc/self/fd')
      return (await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))).includes(file)
    }
    let access: ReturnType<typeof openRandomAccess> | null = openRandomAccess(file)
    expect(access.read(0, 1).toString()).toBe('a')
    expect(await isOpen()).toBe(true)
    access = null
    await letGo()
    expect(await isOpen()).toBe(false)
  })

  test('that has no name lies elsewhere where its folder can not be', async () => {
    const { append, read } = openScratchFile(join(await written('no folder'), 'cache'))
    append(Buffer.from('kept'))
    expect(read(0, 4).toString()).toBe('kept')
  })

  test('ends where it ends, and says so', async () => {
    const { size, read } = openRandomAccess(await written('short'))
    expect(size).toBe(5)
    expect(() => read(3, 3)).toThrow('the file ends at 5, before 6')
  })
})
