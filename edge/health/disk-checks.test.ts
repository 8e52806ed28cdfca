import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkClock, checkRoom, checkSync } from './disk-checks.ts'

test('clocks that were reset, run away or went back are found', () => {
  const check = (nowMs: number, knownMs: number | null, expected: string) =>
    expect(checkClock(nowMs, knownMs).verdict, new Date(nowMs).toISOString()).toBe(expected)
  const may = Date.UTC(2027, 4, 14)
  check(0, null, 'fail')
  check(Date.UTC(2000, 0, 1), null, 'fail')
  check(Date.UTC(2106, 1, 7), null, 'fail')
  check(may, null, 'ok')
  check(may, may - 1, 'ok')
  check(may, may + 30_000, 'ok')
  check(may, may + 3_600_000, 'warn')
})

test('a folder is tried by writing, and left as it was', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'))
  expect((await checkSync(join(folder, 'state'))).verdict).not.toBe('fail')
  expect(await checkRoom(join(folder, 'state'))).toMatchObject({ name: 'disk room' })
  expect(await readdir(join(folder, 'state'))).toEqual([])
  const file = join(folder, 'file')
  await writeFile(file, '')
  expect(await checkRoom(file)).toMatchObject({ verdict: 'fail' })
  expect(await checkSync(file)).toMatchObject({ verdict: 'fail', advice: `let this user write to ${file}` })
  await rm(folder, { recursive: true })
})
