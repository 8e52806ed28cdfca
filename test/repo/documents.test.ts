import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ROOT, read } from './source-files.ts'

/** Paths in backquotes that lie in this repository and name a file or folder, wildcards included. */
const pathsIn = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:edge|cloud-trainer|shared|test|docs|deploy|firmware-configs|scripts)\/[\w./*-]+)`/g)].map(
    (match) => match[1]!,
  )

test('every path that ARCHITECTURE.md names is there', () => {
  const paths = pathsIn(read('ARCHITECTURE.md'))
  expect(paths.length).toBeGreaterThan(40)
  expect(paths.filter((path) => globSync(path, { cwd: ROOT }).length === 0)).toEqual([])
})
