/** Whether the files that a description names are still those that were read, told without reading them again. */
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Description } from './description.ts'
import { isNoSuchFile } from './folder-files.ts'

/**
 * A hash of the names, sizes and times (of content and of inode) of all files that examples may come from, relative to
 * `root`. A file that was changed within the resolution of the file system's clock, to the same size, goes unnoticed.
 */
export const fingerprintOf = async (root: string, description: Description): Promise<string> => {
  const hash = createHash('sha256')
  for (const place of [...placesIn(description)].sort()) await addPlace(hash, root, place)
  return hash.digest('hex')
}

/** Files, and folders with all that is in them. */
const placesIn = (description: Description): ReadonlySet<string> => {
  const places = new Set<string>()
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== 'string') walk(inner)
      else if (key === 'file' || key === 'table') places.add(inner)
      else if (key === 'path') places.add(folderOf(inner))
      else if (key === 'raster') places.add(`${inner}.json`).add(`${inner}.u8`)
      else if (key === 'column' && 'channels' in value) places.add('.') // files that a column names
    }
  }
  walk(description)
  return places
}

/** What all paths of a pattern have in common: "patches/{id}.jpeg" lie in "patches". */
const folderOf = (pattern: string): string => {
  const fixed = pattern.split('{')[0]!
  return fixed.includes('/') ? fixed.slice(0, fixed.lastIndexOf('/')) : '.'
}

/** Files whose state is asked for at once. */
const AT_ONCE = 64

const addPlace = async (hash: ReturnType<typeof createHash>, root: string, place: string): Promise<void> => {
  const found = await stat(join(root, place)).catch(nothing)
  if (found === null || !found.isDirectory()) {
    const state = found === null ? 'absent' : `${found.size} ${found.mtimeMs} ${found.ctimeMs}`
    hash.update(`${JSON.stringify(place)} ${state}\n`)
    return
  }
  const names = (await readdir(join(root, place))).sort()
  for (let first = 0; first < names.length; first += AT_ONCE) {
    const some = names.slice(first, first + AT_ONCE).map(async (name) => {
      const path = join(place, name)
      return { path, state: await stat(join(root, path)).catch(nothing) }
    })
    for (const { path, state } of await Promise.all(some)) {
      if (state?.isDirectory()) await addPlace(hash, root, path)
      else hash.update(`${JSON.stringify(path)} ${state?.size} ${state?.mtimeMs} ${state?.ctimeMs}\n`)
    }
  }
}

const nothing = (error: unknown): null => {
  if (isNoSuchFile(error)) return null
  throw error
}
