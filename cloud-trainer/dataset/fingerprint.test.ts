import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDescription } from './description.ts'
import { fingerprintOf } from './fingerprint.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fingerprint-'))
  for (const name of ['plots.csv', 'a.png', 'notes.txt']) await writeFile(join(root, name), name)
})
afterAll(() => rm(root, { recursive: true }))

const description = parseDescription(
  {
    schema: 'dataset/1',
    about: 'Pictures that a column names.',
    table: 'plots.csv',
    id: 'plot',
    split: { column: 'fold', train: [0], validation: [1], test: [2] },
    modalities: [
      { kind: 'image', name: 'eye', width: 4, height: 4, patch: 2, source: { column: 'picture', channels: 3 } },
    ],
  },
  'dataset.json',
)

test('pictures that a column names may be any file of the folder; only of the table is the state of files', async () => {
  const states = async () => [await fingerprintOf(root, description), await fingerprintOf(root, description, 'files')]
  const [all, files] = await states()
  await appendFile(join(root, 'a.png'), '!')
  const [otherPicture, sameFiles] = await states()
  expect(otherPicture).not.toBe(all)
  expect(sameFiles).toBe(files)
  await appendFile(join(root, 'plots.csv'), '!')
  const [otherTable, otherFiles] = await states()
  expect(new Set([all, otherPicture, otherTable]).size).toBe(3)
  expect(otherFiles).not.toBe(files)
})

test('a cache among the data is none of them, so that it can be written', async () => {
  const before = await fingerprintOf(root, description)
  for (const name of ['0a.tokens', '0a.tokens.12.part']) await writeFile(join(root, name), name)
  expect(await fingerprintOf(root, description)).toBe(before)
  await writeFile(join(root, 'b.png'), 'b')
  expect(await fingerprintOf(root, description)).not.toBe(before)
})
