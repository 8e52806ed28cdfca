import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { openRelease } from '#shared/bundle/release.ts'
import { exampleBundle } from '#test/support/example-bundle.ts'
import { ensureKeys, type Keys } from './keys.ts'
import { openRegistry, type Registry } from './registry.ts'

let folder: string
let keys: Keys
let registry: Registry
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'))
  keys = await ensureKeys(join(folder, 'keys'))
  registry = await openRegistry(join(folder, 'registry'))
})
afterEach(() => rm(folder, { recursive: true }))

let bundles = 0
const bundle = async (seed: number) => {
  const path = join(folder, `bundle-${bundles++}`)
  await mkdir(path)
  const { manifest, model, vectors } = exampleBundle(seed)
  await writeFile(join(path, 'manifest.json'), manifest)
  await writeFile(join(path, 'model.onnx'), model)
  await writeFile(join(path, 'vectors.json'), vectors)
  return path
}
const publish = async (bundleFolder: string, family = 'valley') =>
  registry.publish({ bundleFolder, family, signers: [keys.release], createdAtMs: Date.UTC(2026, 4, 14) })

describe('publishing', () => {
  test('makes a release that an edge can verify, with every file under its hash', async () => {
    const published = await publish(await bundle(1))
    const read = async (sha256: string) => {
      const blob = await registry.blob(sha256)
      return blob === null ? null : readFile(blob.file)
    }
    const opened = openRelease((await read(published.document.sha256))!, keys.trust)
    expect(opened).toMatchObject({
      ok: true,
      value: { value: { family: 'valley', releaseCounter: 1, createdAt: '2026-05-14T00:00:00.000Z' } },
    })
    const { manifest, model, vectors } = exampleBundle(1)
    const { release } = published
    expect(await read(release.manifest.sha256)).toEqual(manifest)
    expect(await read(release.objects.model.sha256)).toEqual(model)
    expect(await read(release.objects.vectors.sha256)).toEqual(vectors)
    expect(published.version).toBe(`valley@${sha256Hex(manifest).slice(0, 12)}`)
  })

  test('counts up, also at once, over restarts, and after a release was lost', async () => {
    const counters = await Promise.all(
      [1, 2, 3].map(async (seed) => (await publish(await bundle(seed))).releaseCounter),
    )
    expect(counters.toSorted()).toEqual([1, 2, 3])
    await rm(join(folder, 'registry/releases/valley/3.json'))
    registry = await openRegistry(join(folder, 'registry'))
    expect((await publish(await bundle(4))).releaseCounter).toBe(4)
    expect((await registry.current('valley'))?.releaseCounter).toBe(4)
  })

  test('keeps families apart', async () => {
    expect(await registry.current('valley')).toBeNull()
    const first = await publish(await bundle(1))
    expect(await registry.current('valley')).toEqual(first)
    expect(await registry.current('coast')).toBeNull()
  })

  const refusals: readonly (readonly [string, (path: string) => Promise<unknown>, string])[] = [
    ['changed weights', (path) => writeFile(join(path, 'model.onnx'), 'other'), 'holds no file with the hash'],
    ['missing vectors', (path) => rm(join(path, 'vectors.json')), 'holds no file with the hash'],
    ['a manifest of another shape', (path) => writeFile(join(path, 'manifest.json'), '{}'), 'no manifest/1'],
    ['no JSON', (path) => writeFile(join(path, 'manifest.json'), '{'), 'not JSON'],
  ]
  test.each(refusals)('refuses a bundle with %s, and uses up no counter', async (_, damage, message) => {
    const path = await bundle(1)
    await damage(path)
    await expect(publish(path)).rejects.toThrow(message)
    expect(await registry.current('valley')).toBeNull()
    expect((await publish(await bundle(2))).releaseCounter).toBe(1)
  })

  test('refuses the bundle of another family, and names that are paths', async () => {
    await expect(publish(await bundle(1), 'coast')).rejects.toThrow('of family valley')
    await expect(publish(await bundle(1), '../up')).rejects.toThrow('no name of a model family')
  })
})

test('a blob is found by its hash alone', async () => {
  await publish(await bundle(1))
  await writeFile(join(folder, 'secret'), 'x')
  for (const name of ['../secret', '', '.', 'a'.repeat(64), `../keys/${'a'.repeat(57)}`]) {
    expect(await registry.blob(name)).toBeNull()
  }
})

describe('keys', () => {
  test('are made once, for their owner only, and believed by the trust file', async () => {
    const again = await ensureKeys(join(folder, 'keys'))
    expect(again.release.publicKey).toBe(keys.release.publicKey)
    expect(again.director.publicKey).not.toBe(keys.release.publicKey)
    for (const name of ['release.pem', 'director.pem']) {
      expect((await stat(join(folder, 'keys', name))).mode & 0o777).toBe(0o600)
    }
    expect(JSON.parse(await readFile(keys.trustFile, 'utf8'))).toEqual(keys.trust)
    expect((await readdir(join(folder, 'keys'))).sort()).toEqual(['director.pem', 'release.pem', 'trust.json'])
  })

  test('that others can read, or that are broken, stop everything with a hint', async () => {
    const file = join(folder, 'keys/release.pem')
    await chmod(file, 0o644)
    await expect(ensureKeys(join(folder, 'keys'))).rejects.toMatchObject({
      code: 'key-file',
      hint: expect.stringContaining('chmod 600'),
    })
    await chmod(file, 0o600)
    await writeFile(file, 'not a key')
    await expect(ensureKeys(join(folder, 'keys'))).rejects.toMatchObject({
      code: 'key-file',
      hint: expect.stringContaining('backup'),
    })
  })
})
