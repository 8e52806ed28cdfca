import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DOORS, violation } from './import-rules.ts'
import { importsOf, packageOf, ROOT, read, resolveImport, sourceFiles } from './source-files.ts'

const edges = sourceFiles().flatMap((file) => importsOf(read(file)).map((specifier) => ({ file, specifier })))

test('every import of a project file names one that exists', () => {
  const missing = edges.flatMap(({ file, specifier }) => {
    const target = resolveImport(file, specifier)
    return target !== null && !existsSync(join(ROOT, target)) ? [`${file}: ${specifier}`] : []
  })
  expect(missing).toEqual([])
  expect(edges.length).toBeGreaterThan(50)
})

test('rooms import only what the table allows', () => {
  const broken = edges.flatMap(({ file, specifier }) => {
    const target = resolveImport(file, specifier)
    return target === null ? [] : (violation(file, target) ?? [])
  })
  expect(broken).toEqual([])
})

test('a package with a door is imported through it alone', () => {
  const broken = edges.flatMap(({ file, specifier }) => {
    const name = packageOf(specifier)
    const door = name === null ? undefined : DOORS[name]
    return door !== undefined && file !== door ? [`${file} imports ${name}; only ${door} may`] : []
  })
  expect(broken).toEqual([])
})

test('std imports nothing, and core rooms touch neither clock nor randomness', () => {
  const outside = edges.filter(
    ({ file, specifier }) => file.startsWith('shared/std/') && !file.endsWith('.test.ts') && !specifier.startsWith('.'),
  )
  expect(outside.filter(({ specifier }) => !specifier.startsWith('#shared/std/'))).toEqual([])
  const core = /^(shared\/(std|domain|tokens|wire|bundle)|cloud-trainer\/(graph|model|masking|metrics))\//
  const impure = sourceFiles()
    .filter((file) => core.test(file) && !file.endsWith('.test.ts'))
    .filter((file) =>
      /\b(Date\.now\(|new Date\(\)|Math\.random\(|performance\.now\(|node:fs|node:net)/.test(read(file)),
    )
  expect(impure).toEqual([])
})

test('the table refuses what it must', () => {
  expect(violation('edge/spool/a.ts', 'edge/outbox/b.ts')).toContain('stage')
  expect(violation('edge/main.ts', 'cloud-trainer/graph/x.ts')).toContain('does not know')
  expect(violation('shared/domain/a.ts', 'shared/wire/b.ts')).toContain('may not import')
  expect(violation('cloud-trainer/store/a.ts', 'cloud-trainer/model/b.ts')).toBeNull()
  expect(violation('edge/pipeline.ts', 'edge/spool/a.ts')).toBeNull()
  expect(violation('edge/spool/a.ts', 'test/simulator/x.ts')).toContain('does not import test')
})
