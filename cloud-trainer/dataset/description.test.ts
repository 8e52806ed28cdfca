import { readdirSync, readFileSync } from 'node:fs'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withFolder } from '#test/support/data-folder.ts'
import { describedData } from '#test/support/datasets.ts'
import { parseDescription } from './description.ts'
import { readBytes } from './folder-files.ts'

const DOCS = new URL('../../docs/datasets.md', import.meta.url)

test('the example of the documentation is a description', () => {
  const [, example] = /```json\n([\s\S]*?)```/.exec(readFileSync(DOCS, 'utf8')) ?? []
  const { modalities, join: rule, repeats } = parseDescription(JSON.parse(example!), 'docs/datasets.md')
  expect(modalities.map((it) => it.kind)).toEqual(['tabular', 'series', 'image', 'embedding', 'location'])
  expect([rule, repeats]).toEqual(['id', false])
  const climate = modalities[1]!
  const columns = climate.kind === 'series' && 'file' in climate ? climate.variables[0]!.columns : []
  expect([columns.length, columns[0], columns[1], columns.at(-1)]).toEqual([
    228,
    'tas_01_2000',
    'tas_02_2000',
    'tas_12_2018',
  ])
})

test('the documentation names every field that a description may have', () => {
  const text = readFileSync(DOCS, 'utf8')
  const seen = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (!Array.isArray(value)) seen.add(key)
      visit(inner)
    }
  }
  for (const name of readdirSync(describedData('.'))) {
    const json: unknown = JSON.parse(readFileSync(join(describedData(name), 'dataset.json'), 'utf8'))
    expect(parseDescription(json, name).modalities.length).toBeGreaterThan(0)
    visit(json)
  }
  expect(seen.size).toBeGreaterThan(30)
  expect([...seen].filter((key) => !text.includes(`\`${key}\``) && !text.includes(`"${key}"`))).toEqual([])
})

test('a file beyond 2 GiB is named', async () => {
  await withFolder({}, async (folder) => {
    await writeFile(join(folder, 'a.npy'), '')
    // A hole: it takes no room on the disk.
    await truncate(join(folder, 'a.npy'), 2 ** 31 + 1)
    await expect(readBytes(folder, 'a.npy')).rejects.toThrow('a.npy: files beyond 2 GiB are not read')
  })
})
