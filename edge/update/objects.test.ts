import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { type ObjectFolder, openObjectFolder } from './objects.ts'
import { UPDATE_SCHEMA_SQL } from './tables.ts'

const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255))
const object = { sha256: sha256Hex(bytes), length: bytes.length }
const UNIT = 256

let folder: string
let database: Database
let objects: ObjectFolder

const restart = async () => {
  database.close()
  database = openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL])
  objects = await openObjectFolder(database, folder)
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'objects-'))
  database = openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL])
  objects = await openObjectFolder(database, folder)
})
afterEach(async () => {
  database.close()
  await rm(folder, { recursive: true })
})

const unit = (i: number) => bytes.subarray(i * UNIT, (i + 1) * UNIT)
const files = async () => (await readdir(join(folder, 'models'))).sort()

const put = async (units: readonly number[]) => {
  const part = await objects.openPart(object, UNIT)
  for (const i of units) await part.write(i, unit(i))
  await part.commit()
  await part.close()
}

describe('a file that arrives in units', () => {
  test('gets its name only when it is whole', async () => {
    await put([2, 0])
    expect(await files()).toEqual([`${object.sha256}.part`])
    expect(objects.isStored(object)).toBe(false)
    await put([3, 1])
    expect(await objects.settle(object)).toBe(true)
    expect(await files()).toEqual([object.sha256])
    expect(objects.isStored(object)).toBe(true)
    expect(await readFile(objects.pathOf(object))).toEqual(bytes)
    expect(await objects.read(object)).toEqual(bytes)
  })

  test('goes on after a restart with what was committed, and no more', async () => {
    const part = await objects.openPart(object, UNIT)
    await part.write(1, unit(1))
    await part.commit()
    await part.write(2, unit(2))
    await part.close()
    await restart()
    const again = await objects.openPart(object, UNIT)
    expect(again.missing()).toEqual([0, 2, 3])
    await again.close()
  })

  test('starts again with another size of unit', async () => {
    await put([0, 1])
    const part = await objects.openPart(object, 512)
    expect(part.missing()).toEqual([0, 1])
    await part.close()
  })

  test('is thrown away when its hash is wrong', async () => {
    const part = await objects.openPart(object, UNIT)
    for (const i of [0, 1, 2, 3]) await part.write(i, i === 2 ? Buffer.alloc(UNIT) : unit(i))
    await part.commit()
    await part.close()
    expect(await objects.settle(object)).toBe(false)
    expect(await files()).toEqual([])
    const again = await objects.openPart(object, UNIT)
    expect(again.missing()).toEqual([0, 1, 2, 3])
    await again.close()
  })

  test('whose part file vanished or shrank is caught by the hash, whatever the bitmap says', async () => {
    await put([0, 1, 2])
    await truncate(`${objects.pathOf(object)}.part`, 300)
    await restart()
    await put([3])
    expect(await objects.settle(object)).toBe(false)
  })

  test('renamed without its row (a cut in between) is fetched again', async () => {
    await writeFile(objects.pathOf(object), bytes)
    expect(objects.isStored(object)).toBe(false)
    await put([0, 1, 2, 3])
    expect(await objects.settle(object)).toBe(true)
  })
})

test('damage is seen: length, bits, absence', async () => {
  await put([0, 1, 2, 3])
  await objects.settle(object)
  expect(await objects.isIntact(object)).toBe(true)
  await writeFile(objects.pathOf(object), Buffer.concat([bytes, Buffer.of(0)]))
  expect([await objects.isIntact(object), await objects.read(object)]).toEqual([false, null])
  await writeFile(objects.pathOf(object), Buffer.from(bytes.map((byte, i) => (i === 500 ? byte ^ 1 : byte))))
  expect([await objects.isIntact(object), await objects.read(object)]).toEqual([false, null])
  await rm(objects.pathOf(object))
  expect([await objects.isIntact(object), await objects.read(object)]).toEqual([false, null])
})

test('only what is wanted is kept', async () => {
  await put([0, 1, 2, 3])
  await objects.settle(object)
  await writeFile(join(folder, 'models', 'left-over'), 'x')
  const other = { sha256: sha256Hex('other'), length: 5 }
  await (await objects.openPart(other, UNIT)).close()
  await objects.keepOnly([object])
  expect(await files()).toEqual([object.sha256])
  await objects.keepOnly([])
  expect(await files()).toEqual([])
  expect(objects.isStored(object)).toBe(false)
})

test('nothing but a hash becomes a path', () => {
  const forged = { ...object, sha256: '../../etc/passwd' as typeof object.sha256 }
  expect(() => objects.pathOf(forged)).toThrow('only hashes')
})
