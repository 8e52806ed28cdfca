/** Whether the files that a description names are still those that were read, told without reading them again. */
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Description } from './description.ts'
import { isNoSuchFile } from './folder-files.ts'

/**
 * A hash of the names, sizes and times (of content and of inode) of all files that examples may come from, relative to
 * `root`; `what` is "files": only of those that are named one by one. A file that was changed within the resolution of
 * the file system's clock, to the same size, goes unnoticed.
 */
export const fingerprintOf = async (
  root: string,
  description: Description,
  what: 'all' | 'files' = 'all',
): Promise<string> => {
  const hash = createHash('sha256')
  const { files, folders } = placesIn(description)
  for (const place of [...files, ...(what === 'all' ? folders : [])].sort()) await addPlace(hash, root, place)
  return hash.digest('hex')
}

/** Files, and folders of which all counts that is in them. */
const placesIn = (description: Description): Record<'files' | 'folders', ReadonlySet<string>> => {
  const [files, folders] = [new Set<string>(), new Set<string>()]
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== 'string') walk(inner)
      else if (key === 'file' || key === 'table') files.add(inner)
      else if (key === 'path') folders.add(folderOf(inner))
      else if (key === 'raster') files.add(`${inner}.json`).add(`${inner}.u8`)
      else if (key === 'column' && 'channels' in value) folders.add('.') // files that a column names
    }
  }
  walk(description)
  return { files, folders }
}

/** What all paths of a pattern have in common: "patches/{id}.jpeg" lie in "patches". */
const folderOf = (pattern: string): string => {
  const fixed = pattern.split('{')[0]!
  return fixed.includes('/') ? fixed.slice(0, fixed.lastIndexOf('/')) : '.'
}

/** Of a cache that lies among the data: what the fingerprint is taken for. */
const TOKENS = /\.tokens(\.\d+\.part)?$/

/** Files whose state is asked for at once. */
const AT_ONCE = 64

const addPlace = async (hash: ReturnType<typeof createHash>, root: string, place: string): Promise<void> => {
  const found = await stat(join(root, place)).catch(nothing)
  if (found === null || !found.isDirectory()) {
    const state = found === null ? 'absent' : `${found.size} ${found.mtimeMs} ${found.ctimeMs}`
    hash.update(`${JSON.stringify(place)} ${state}\n`)
    return
  }
  const names = (await readdir(join(root, place))).filter((name) => !TOKENS.test(name)).sort()
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
