import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { holdFile, openDatabase, openReadOnly } from './sqlite.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sqlite-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a held file is held by one at a time', () => {
  const file = join(folder, 'lock')
  const held = holdFile(file)
  expect(held).not.toBeNull()
  expect(holdFile(file)).toBeNull()
  held![Symbol.dispose]()
  const again = holdFile(file)
  expect(again).not.toBeNull()
  again![Symbol.dispose]()
})

test('a damaged file is named, with what to do', async () => {
  const file = join(folder, 'edge.db')
  await writeFile(file, 'this is no database. '.repeat(1000))
  const expected = expect.objectContaining({
    code: 'database',
    message: `${file} is no intact database`,
    hint: expect.stringContaining('keep a copy'),
  })
  expect(() => openDatabase(file, [])).toThrow(expected)
  expect(() => openReadOnly(file)).toThrow(expected)
})
