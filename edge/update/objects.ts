/**
 * Content-addressed files of models on this station's disk: `<folder>/models/<sha256>`, and beside it
 * `<sha256>.part` while it arrives. Adding: bytes synced, then the bitmap that claims them; the whole hashed,
 * renamed, the folder synced, then the row that says it is here. Removing goes the other way round.
 */
import { mkdir, open, readdir, readFile, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { isSha256 } from '#shared/domain/ids.ts'
import { syncFolder } from '#shared/platform/atomic-file.ts'
import { digestFile, isFileIntact } from '#shared/platform/hashed-file.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import { assert } from '#shared/std/assert.ts'
import type { ObjectRef } from './state.ts'
import { emptyBitmap, missingUnits, setUnit, unitCount } from './units.ts'

export type PartFile = {
  /** Units not yet safe on disk, rising. */
  readonly missing: () => readonly number[]
  /** Writes a unit in memory's order of arrival; it counts only after `commit`. */
  readonly write: (unit: number, bytes: Uint8Array) => Promise<void>
  /** Makes the written units durable: their bytes first, then the bitmap. */
  readonly commit: () => Promise<void>
  readonly close: () => Promise<void>
}

export type ObjectFolder = {
  readonly pathOf: (object: ObjectRef) => string
  /** A row says that the file was whole once; nothing is read. */
  readonly isStored: (object: ObjectRef) => boolean
  /** Reads and hashes the file. */
  readonly isIntact: (object: ObjectRef) => Promise<boolean>
  /** The bytes, or null when they no longer have their hash. */
  readonly read: (object: ObjectRef) => Promise<Uint8Array | null>
  readonly openPart: (object: ObjectRef, unitBytes: number) => Promise<PartFile>
  /** Hashes a complete part file and gives it its name. False: it was wrong and is gone. */
  readonly settle: (object: ObjectRef) => Promise<boolean>
  readonly forget: (object: ObjectRef) => Promise<void>
  /** Removes every file and row but these. */
  readonly keepOnly: (objects: readonly ObjectRef[]) => Promise<void>
  readonly freeBytes: () => Promise<number>
}

type PartRow = { length: number; unitBytes: number; received: Buffer; stored: number }

export const openObjectFolder = async (database: Database, folder: string): Promise<ObjectFolder> => {
  const models = join(folder, 'models')
  await mkdir(models, { recursive: true })
  const select = database.prepare<[string], PartRow>(
    'SELECT length, unitBytes, received, stored FROM part WHERE object = ?',
  )
  const insert = database.prepare('INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, 0)')
  const mark = database.prepare('UPDATE part SET received = ? WHERE object = ?')
  const store = database.prepare('UPDATE part SET stored = 1 WHERE object = ?')
  const remove = database.prepare('DELETE FROM part WHERE object = ?')
  const pathOf = ({ sha256 }: { readonly sha256: string }) => {
    assert(isSha256(sha256), 'only hashes become file names', { sha256 })
    return join(models, sha256)
  }
  const partOf = (object: ObjectRef) => `${pathOf(object)}.part`

  const forget = async (object: ObjectRef) => {
    remove.run(object.sha256)
    await rm(pathOf(object), { force: true })
    await rm(partOf(object), { force: true })
    await syncFolder(models)
  }

  return {
    pathOf,
    isStored: ({ sha256 }) => select.get(sha256)?.stored === 1,
    isIntact: (object) => isFileIntact(pathOf(object), object),
    read: async (object) => {
      const digest = await digestFile(pathOf(object))
      if (digest === null || digest.length !== object.length) return null
      const bytes = await readFile(pathOf(object))
      return sha256Hex(bytes) === object.sha256 ? bytes : null
    },
    openPart: async (object, unitBytes) => {
      const units = unitCount(object.length, unitBytes)
      let row = select.get(object.sha256)
      if (row === undefined || row.stored === 1 || row.unitBytes !== unitBytes || row.length !== object.length) {
        await rm(partOf(object), { force: true })
        row = { length: object.length, unitBytes, received: emptyBitmap(units), stored: 0 }
        insert.run(object.sha256, object.length, unitBytes, row.received)
      }
      // A file shorter than the bitmap claims is holes read as zeros; the final hash would catch it.
      const handle = await open(partOf(object), 'a+').then(async (created) => {
        await created.close()
        return open(partOf(object), 'r+')
      })
      await handle.truncate(object.length)
      const received = Buffer.from(row.received)
      const written: number[] = []
      return {
        missing: () => missingUnits(received, units),
        write: async (unit, bytes) => {
          await handle.write(bytes, 0, bytes.length, unit * unitBytes)
          written.push(unit)
        },
        commit: async () => {
          if (written.length === 0) return
          await handle.datasync()
          for (const unit of written.splice(0)) setUnit(received, unit)
          mark.run(received, object.sha256)
        },
        close: () => handle.close(),
      }
    },
    settle: async (object) => {
      if (!(await isFileIntact(partOf(object), object))) {
        await forget(object)
        return false
      }
      await using handle = await open(partOf(object), 'r+')
      await handle.sync()
      await rename(partOf(object), pathOf(object))
      await syncFolder(models)
      store.run(object.sha256)
      return true
    },
    forget,
    keepOnly: async (objects) => {
      const kept = new Set(objects.map(({ sha256 }) => sha256 as string))
      const rows = database.prepare<[], { object: string }>('SELECT object FROM part').all()
      for (const { object } of rows) if (!kept.has(object)) remove.run(object)
      const files = (await readdir(models)).filter((name) => !kept.has(name.replace(/\.part$/, '')))
      for (const name of files) await rm(join(models, name), { force: true })
      if (files.length > 0) await syncFolder(models)
    },
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(models)
      return bavail * bsize
    },
  }
}
