/**
 * Signed releases in a folder: `blobs/<sha256>` are the files, each under its hash, and
 * `releases/<family>/<counter>.json` the signed documents that name them (kept as blobs too, for the edges).
 * Whole or absent: a blob before the release that names it, a counter before the release that uses it.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { Signer } from '#shared/bundle/keys.ts'
import { type Manifest, manifestSchema } from '#shared/bundle/manifest.ts'
import {
  MAX_MANIFEST_BYTES,
  modelVersion,
  type ObjectRef,
  type Release,
  releaseSchema,
} from '#shared/bundle/release.ts'
import { signDocument } from '#shared/bundle/signed.ts'
import { isLevel, isSha256, type ModelVersion } from '#shared/domain/ids.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { isAbsence, lengthOf, takeIn, takeInBytes } from './blobs.ts'
import { RegistryError } from './registry-error.ts'

export type PublishedRelease = {
  readonly family: string
  readonly releaseCounter: number
  readonly version: ModelVersion
  /** The signed document as a blob: what a desired state names. */
  readonly document: ObjectRef
  readonly release: Release
}

type PublishOptions = {
  /** Holds `manifest.json`, `model.onnx` and `vectors.json`, or the file names given. */
  readonly bundleFolder: string
  readonly family: string
  /** Release keys, as many as the edges' threshold asks for. */
  readonly signers: readonly Signer[]
  readonly createdAtMs: number
  readonly tenant?: string
  readonly memoryBytes?: number
}

export type Registry = {
  /** Checks a bundle against its manifest, takes its files in and signs a release with the family's next counter. */
  readonly publish: (options: PublishOptions) => Promise<PublishedRelease>
  /** The release with the highest counter, or null. */
  readonly current: (family: string) => Promise<PublishedRelease | null>
  /** Path and length of a blob, or null; only what was published here is ever found. */
  readonly blob: (sha256: string) => Promise<{ readonly file: string; readonly length: number } | null>
}

export const openRegistry = async (folder: string): Promise<Registry> => {
  const blobs = join(folder, 'blobs')
  await mkdir(blobs, { recursive: true })
  /** One publication at a time: counters are handed out in order. */
  let last: Promise<unknown> = Promise.resolve()

  const familyFolder = (family: string) => {
    if (!isLevel(family)) throw new RegistryError('bad-name', `"${family}" is no name of a model family`)
    return join(folder, 'releases', family)
  }

  const publish = async (options: PublishOptions): Promise<PublishedRelease> => {
    const { family, signers } = options
    const releases = familyFolder(family)
    await mkdir(releases, { recursive: true })
    const manifestBytes = await readFile(join(options.bundleFolder, 'manifest.json'))
    const manifest = parseManifest(manifestBytes, family)
    for (const role of ['model', 'vectors'] as const) await takeIn(options.bundleFolder, manifest.files[role], blobs)
    const manifestRef = await takeInBytes(manifestBytes, blobs)
    const release = releaseSchema.parse({
      _type: 'release',
      schema: 'release/1',
      family,
      ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
      releaseCounter: await takeCounter(releases),
      createdAt: new Date(options.createdAtMs).toISOString(),
      compat: {
        opset: manifest.graph.opset,
        minimumRuntime: manifest.graph.minimumRuntime,
        tokenizerDigest: manifest.tokenizerDigest,
        ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
      },
      manifest: manifestRef,
      objects: manifest.files,
    })
    const bytes = signDocument(release, signers)
    const document = await takeInBytes(bytes, blobs)
    await writeFileAtomic(join(releases, `${release.releaseCounter}.json`), bytes)
    return describe(release, document)
  }

  return {
    publish: (options) => {
      const next = last.then(() => publish(options))
      last = next.catch(() => {}) // the caller hears of it; the next publication starts all the same
      return next
    },
    current: async (family) => {
      const [counter] = (await countersIn(familyFolder(family))).toReversed()
      if (counter === undefined) return null
      const file = join(familyFolder(family), `${counter}.json`)
      const bytes = await readFile(file)
      const release = parseOwnRelease(bytes, file)
      return describe(release, { sha256: sha256Hex(bytes), length: bytes.length })
    },
    blob: async (sha256) => {
      if (!isSha256(sha256)) return null
      const file = join(blobs, sha256)
      const length = await lengthOf(file)
      return length === null ? null : { file, length }
    },
  }
}

const describe = (release: Release, document: ObjectRef): PublishedRelease => ({
  family: release.family,
  releaseCounter: release.releaseCounter,
  version: modelVersion(release.family, release.manifest),
  document,
  release,
})

const parseManifest = (bytes: Uint8Array, family: string): Manifest => {
  if (bytes.length > MAX_MANIFEST_BYTES) throw new RegistryError('bad-bundle', `the manifest has ${bytes.length} bytes`)
  const parsed = manifestSchema.safeParse(parseJson(bytes))
  if (!parsed.success) throw new RegistryError('bad-bundle', 'manifest.json is no manifest/1', { cause: parsed.error })
  if (parsed.data.family !== family) {
    throw new RegistryError('bad-bundle', `the manifest is of family ${parsed.data.family}, not ${family}`)
  }
  return parsed.data
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw new RegistryError('bad-bundle', 'not JSON', { cause })
  }
}

/** Our own file; the edges verify its signature, here only its shape matters. */
const parseOwnRelease = (bytes: Uint8Array, file: string): Release => {
  const json = parseJson(bytes)
  const signed = typeof json === 'object' && json !== null && 'signed' in json ? json.signed : null
  const parsed = releaseSchema.safeParse(signed)
  if (!parsed.success) throw new RegistryError('damaged', `${file} is no release`, { cause: parsed.error })
  return parsed.data
}

/** Written down before it is used, so that a counter whose release was lost is not given to another. */
const takeCounter = async (releases: string): Promise<number> => {
  const file = join(releases, 'counter')
  const written = Number(await readOrEmpty(file))
  if (!Number.isSafeInteger(written)) throw new RegistryError('damaged', `${file} holds no number`)
  const next = Math.max(written, ...(await countersIn(releases))) + 1
  await writeFileAtomic(file, `${next}\n`)
  return next
}

const countersIn = async (releases: string): Promise<number[]> => {
  const names = await listFolder(releases)
  return names
    .flatMap((name) => /^([1-9]\d{0,14})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

const listFolder = async (folder: string): Promise<readonly string[]> => {
  try {
    return await readdir(folder)
  } catch (cause) {
    if (isAbsence(cause)) return []
    throw cause
  }
}

const readOrEmpty = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (isAbsence(cause)) return ''
    throw cause
  }
}
