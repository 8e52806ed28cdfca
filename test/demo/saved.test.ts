import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseDemoOptions } from './options.ts'
import { holdDemoFolder, readSaved, writeSaved } from './saved.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a folder is one demo at a time', () => {
  const held = holdDemoFolder(folder)
  expect(() => holdDemoFolder(folder)).toThrow(`another demo runs on ${folder}`)
  held[Symbol.dispose]()
  holdDemoFolder(folder)[Symbol.dispose]()
})

test('a second start goes on where the first one stopped, and only in the same valley', async () => {
  expect((await readSaved(folder, { seed: 7, stations: 3 })).nextHour).toBe(0)
  await writeSaved(folder, { schema: 'demo/1', seed: 7, stations: 3, nextHour: 40 })
  expect((await readSaved(folder, { seed: 7, stations: 3 })).nextHour).toBe(40)
  await expect(readSaved(folder, { seed: 8, stations: 3 })).rejects.toThrow('--seed 7 --stations 3')
})

test.each(['{', '{"schema":"demo/1"}', ''])('a damaged file is named, with what to do: %j', async (text) => {
  await writeFile(join(folder, 'demo.json'), text)
  await expect(readSaved(folder, { seed: 1, stations: 1 })).rejects.toThrow(
    `${join(folder, 'demo.json')} is damaged: delete ${folder}`,
  )
})

test('an empty state folder is wrong use, not the folder one stands in', () => {
  expect(parseDemoOptions(['--state', ''])).toEqual({ ok: false, error: '--state: name a folder' })
})
