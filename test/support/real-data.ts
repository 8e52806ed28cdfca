/** Real data beside the project, in `../shared/data`: not part of it, and absent on most machines. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const DATA = resolve(import.meta.dirname, '../../../shared/data')

/** Path of a folder of real data, whether it is there or not; when it isn't, says why tests are skipped. */
export const realData = (folder: string): { readonly path: string; readonly isHere: boolean } => {
  const path = join(DATA, folder)
  const isHere = existsSync(path)
  if (!isHere) console.log(`skipped: ../shared/data/${folder} is not here`)
  return { path, isHere }
}
