import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCheckpoints } from './checkpoint-folder.ts'

const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'understory-checkpoints-'))
  try {
    await use(join(folder, 'run'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

const content = (step: number) => ({ header: { step }, arrays: { y: Float32Array.of(step) } })

/** Cuts the newest file of the folder short. */
const damageNewest = async (folder: string, step: number): Promise<void> => {
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name))
    if (bytes.includes(`"step":${step}`)) await writeFile(join(folder, name), bytes.subarray(0, bytes.length - 7))
  }
}

test('the newest of two generations is found again, and the older when that is damaged', () =>
  withFolder(async (folder) => {
    const first = await openCheckpoints(folder)
    expect(first.newest).toBeNull()
    for (const step of [1, 2, 3]) await first.write(content(step))
    expect((await readdir(folder)).length).toBe(2)
    const second = await openCheckpoints(folder)
    expect(second.newest?.header).toEqual({ step: 3 })
    expect(second.newest?.arrays.y).toEqual(Float32Array.of(3))
    await second.write(content(4))
    expect((await openCheckpoints(folder)).newest?.header).toEqual({ step: 4 })

    await damageNewest(folder, 4)
    const third = await openCheckpoints(folder)
    expect(third.newest?.header).toEqual({ step: 3 })
    await third.write(content(5))
    expect((await openCheckpoints(folder)).newest?.header).toEqual({ step: 5 })
    await damageNewest(folder, 5)
    await damageNewest(folder, 3)
    await expect(openCheckpoints(folder)).rejects.toMatchObject({ code: 'damaged-checkpoint' })
  }))
