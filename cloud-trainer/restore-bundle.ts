/** A bundle that was published, put back from the registry: what new models are compared with may be lost or damaged. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { isFileIntact } from '#shared/platform/hashed-file.ts'
import type { PublishedRelease, Registry } from './registry/registry.ts'

/** Returns the names of the files that it wrote. One that the registry has not is left as it is. May be repeated. */
export const restoreBundle = async (
  folder: string,
  { release }: PublishedRelease,
  registry: Pick<Registry, 'blob'>,
): Promise<readonly string[]> => {
  const files = {
    'model.onnx': release.objects.model,
    'vectors.json': release.objects.vectors,
    'manifest.json': release.manifest,
  }
  const restored: string[] = []
  for (const [name, expected] of Object.entries(files)) {
    const file = join(folder, name)
    if (await isFileIntact(file, expected)) continue
    const blob = await registry.blob(expected.sha256)
    if (blob === null) continue
    await mkdir(folder, { recursive: true })
    await writeFileAtomic(file, await readFile(blob.file))
    restored.push(name)
  }
  return restored
}
