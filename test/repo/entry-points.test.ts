import { expect, test } from 'vitest'
import { importsOf, read, sourceFiles } from './source-files.ts'

/** Files that start a process or a thread of their own. */
const isEntry = (file: string, text: string): boolean =>
  /(^|\/)(child|worker|[a-z-]+-worker|[a-z-]+-child)\.ts$/.test(file) ||
  file.startsWith('scripts/') ||
  text.startsWith('#!')

test('every entry point imports the preflight first', () => {
  const entries = sourceFiles().filter((file) => !file.endsWith('.test.ts') && isEntry(file, read(file)))
  expect(entries.length).toBeGreaterThan(1)
  expect(entries.filter((file) => !importsOf(read(file))[0]?.endsWith('preflight.ts'))).toEqual([])
})
