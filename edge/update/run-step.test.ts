import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { generatePrivateKey, signerOf } from '#shared/bundle/keys.ts'
import { modelVersion } from '#shared/bundle/release.ts'
import { type Database, openDatabase } from '#shared/platform/sqlite.ts'
import { EXAMPLE_DIGEST, exampleBundle } from '#test/support/example-bundle.ts'
import { openObjectFolder } from './objects.ts'
import { runStep, type Tools } from './run-step.ts'
import { UPDATE_SCHEMA_SQL } from './tables.ts'

const example = exampleBundle(1, { modelBytes: 5000 })
const refOf = (bytes: Uint8Array) => ({ sha256: sha256Hex(bytes), length: bytes.length })
const bundle = {
  release: sha256Hex('release'),
  releaseCounter: 1,
  version: modelVersion('valley', refOf(example.manifest)),
  manifest: refOf(example.manifest),
  model: refOf(example.model),
  vectors: refOf(example.vectors),
}

let folder: string
let database: Database
let tools: Tools
/** Hashes in the order in which they were fetched. */
let fetched: string[]
const never = new AbortController().signal

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-step-'))
  database = openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL])
  fetched = []
  const objects = await openObjectFolder(database, folder)
  const { publicKey } = signerOf(generatePrivateKey())
  const role = { keys: [publicKey], threshold: 1 }
  tools = {
    trust: { schema: 'trust/1', roles: { release: role, director: role } },
    family: 'valley',
    tenant: null,
    runtimeVersion: '1.30.0',
    memoryBytes: 1e9,
    objects,
    tokenizerDigest: () => EXAMPLE_DIGEST,
    trial: async () => ({ ok: true }),
    download: async (object) => {
      fetched.push(object.sha256)
      const bytes = Object.values(example).find((file) => sha256Hex(file) === object.sha256)!
      const part = await objects.openPart(object, 65536)
      await part.write(0, bytes)
      await part.commit()
      await part.close()
      return objects.settle(object)
    },
  }
})
afterEach(async () => {
  database.close()
  await rm(folder, { recursive: true })
})

const downloaded = () => runStep({ kind: 'download', bundle }, tools, never)

test('the manifest is fetched and judged before the weights', async () => {
  expect(await downloaded()).toEqual({ kind: 'downloaded' })
  expect(fetched).toEqual([bundle.manifest, bundle.vectors, bundle.model].map(({ sha256 }) => sha256))
  fetched = []
  expect(
    await runStep({ kind: 'download', bundle }, { ...tools, tokenizerDigest: () => 'other' }, never),
  ).toMatchObject({
    kind: 'refused',
    blame: true,
  })
  expect(fetched).toEqual([bundle.manifest.sha256])
})

test('nothing is fetched without room for it and for the readings', async () => {
  const crowded = (freeBytes: number): Tools => ({
    ...tools,
    objects: { ...tools.objects, freeBytes: async () => freeBytes },
  })
  const neededBytes = 2 * (bundle.manifest.length + bundle.model.length + bundle.vectors.length) + 32 * 1024 * 1024
  await expect(runStep({ kind: 'download', bundle }, crowded(neededBytes - 1), never)).rejects.toMatchObject({
    code: 'no-room',
  })
  expect(fetched).toEqual([])
  expect(await runStep({ kind: 'download', bundle }, crowded(neededBytes), never)).toEqual({ kind: 'downloaded' })
  // What is on disk already needs no room.
  expect(await runStep({ kind: 'download', bundle }, crowded(0), never)).toEqual({ kind: 'downloaded' })
})

test('the trial passes, fails with its reason, and a trial that breaks has failed', async () => {
  await downloaded()
  const probe = (trial: Tools['trial']) => runStep({ kind: 'probe', bundle }, { ...tools, trial }, never)
  expect(await probe(async () => ({ ok: true }))).toEqual({ kind: 'probed' })
  expect(await probe(async () => ({ ok: false, reason: 'logits differ' }))).toEqual({
    kind: 'probeFailed',
    reason: 'logits differ',
  })
  expect(await probe(() => Promise.reject(new Error('no child')))).toEqual({
    kind: 'probeFailed',
    reason: 'Error: no child',
  })
})

test('a trial that hangs does not hold up a newer release', async () => {
  await downloaded()
  const abort = new AbortController()
  const hanging: Tools['trial'] = () => {
    abort.abort(new Error('a newer release'))
    return new Promise(() => {})
  }
  await expect(runStep({ kind: 'probe', bundle }, { ...tools, trial: hanging }, abort.signal)).rejects.toThrow(
    'a newer release',
  )
})

test('a file that was damaged since is neither tried nor activated', async () => {
  await downloaded()
  await writeFile(
    tools.objects.pathOf(bundle.model),
    Buffer.from(example.model.map((byte, i) => (i === 7 ? byte ^ 1 : byte))),
  )
  let isTried = false
  const trial: Tools['trial'] = async () => {
    isTried = true
    return { ok: true }
  }
  expect(await runStep({ kind: 'probe', bundle }, { ...tools, trial }, never)).toEqual({ kind: 'corrupt' })
  expect(isTried).toBe(false)
  expect(await runStep({ kind: 'activate', bundle }, tools, never)).toEqual({ kind: 'corrupt' })
  expect(await downloaded()).toEqual({ kind: 'downloaded' })
  expect(await runStep({ kind: 'activate', bundle }, tools, never)).toEqual({ kind: 'activated' })
})
