import type { Manifest } from '#shared/bundle/manifest.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import { parseManifest } from './judge.ts'
import { type ObjectFolder, openObjectFolder } from './objects.ts'
import { activeOf, type BundleRef } from './state.ts'
import { familiesOf, loadSlot } from './tables.ts'

/** A model whose files have just been hashed; paths are absolute when the state folder is. */
export type ActiveModel = {
  readonly version: ModelVersion
  readonly releaseCounter: number
  readonly manifest: Manifest
  readonly modelFile: string
  readonly vectorsFile: string
}

/**
 * The model in the station's slot, or null when there is none or its files are damaged. It only reads:
 * falling back to the previous slot and counting starts is the updater's work, so a station awaits
 * `startUpdater` before it loads a model. `folder` is the station's state folder.
 */
export const activeModel = async (
  database: Database,
  folder: string,
  family: string | undefined = familiesOf(database)[0],
): Promise<ActiveModel | null> => {
  const bundle = family === undefined ? null : activeOf(loadSlot(database, family))
  return bundle === null ? null : readBundle(await openObjectFolder(database, folder), bundle)
}

/** Null when any file is missing or no longer has its hash. */
export const readBundle = async (objects: ObjectFolder, bundle: BundleRef): Promise<ActiveModel | null> => {
  const bytes = await objects.read(bundle.manifest)
  const manifest = bytes === null ? null : parseManifest(bytes)
  if (manifest === null) return null
  if (!(await objects.isIntact(bundle.model)) || !(await objects.isIntact(bundle.vectors))) return null
  const { version, releaseCounter } = bundle
  return {
    version,
    releaseCounter,
    manifest,
    modelFile: objects.pathOf(bundle.model),
    vectorsFile: objects.pathOf(bundle.vectors),
  }
}
