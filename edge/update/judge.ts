/** Judges what comes from outside before any of it is acted upon: desired states, releases, manifests. Pure. */

import type { Trust } from '#shared/bundle/keys.ts'
import { type Manifest, manifestSchema } from '#shared/bundle/manifest.ts'
import { modelVersion, openRelease, type Release } from '#shared/bundle/release.ts'
import { openSigned } from '#shared/bundle/signed.ts'
import type { Sha256 } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { desiredStateSchema } from '#shared/wire/desired.ts'
import type { BundleRef, Desired, ObjectRef, UpdateState } from './state.ts'

export const MAX_DESIRED_BYTES = 2048

/** Newest ONNX operator set that the pinned ONNX Runtime takes. */
const MAX_OPSET = 26

export type DesiredVerdict =
  | { readonly kind: 'newer'; readonly desired: Desired }
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly reason: string; readonly generation: number | null }

export const judgeDesired = (
  payload: Uint8Array,
  context: {
    readonly trust: Trust
    readonly cohort: string
    readonly family: string
    readonly seen: UpdateState['desired']
  },
): DesiredVerdict => {
  const { trust, cohort, family, seen } = context
  const opened = openSigned(payload, {
    trust,
    role: 'director',
    maxBytes: MAX_DESIRED_BYTES,
    schema: desiredStateSchema,
  })
  if (!opened.ok) return { kind: 'refused', reason: `${opened.error.code}: ${opened.error.detail}`, generation: null }
  const { value, signedSha256 } = opened.value
  const { generation, releaseCounter } = value
  const refuse = (reason: string): DesiredVerdict => ({ kind: 'refused', reason, generation })
  if (value.cohort !== cohort || value.family !== family) {
    return refuse(`foreign-cohort: meant for ${value.cohort}/${value.family}`)
  }
  if (seen !== null && generation < seen.generation) {
    return refuse(`older-generation: ${generation}, and ${seen.generation} has been seen`)
  }
  if (seen !== null && generation === seen.generation) {
    return signedSha256 === seen.document
      ? { kind: 'known' }
      : refuse(`equivocation: two states of generation ${generation}`)
  }
  const release: ObjectRef = { sha256: value.release.sha256 as Sha256, length: value.release.length }
  return { kind: 'newer', desired: { generation, document: signedSha256, release, releaseCounter } }
}

export type ReleaseContext = {
  readonly trust: Trust
  readonly family: string
  readonly tenant: string | null
  /** As the desired state names it; the signed release must agree. */
  readonly releaseCounter: number
  readonly runtimeVersion: string
  readonly memoryBytes: number
}

/** The files of a release that this station may install, or why not. */
export const judgeRelease = (
  release: ObjectRef,
  bytes: Uint8Array,
  context: ReleaseContext,
): Result<BundleRef, string> => {
  const opened = openRelease(bytes, context.trust)
  if (!opened.ok) return err(`bad-release: ${opened.error.code}: ${opened.error.detail}`)
  const { value } = opened.value
  if (value.family !== context.family) return err(`foreign-family: ${value.family}`)
  if (value.tenant !== undefined && value.tenant !== context.tenant) return err(`foreign-tenant: ${value.tenant}`)
  if (value.releaseCounter !== context.releaseCounter) {
    return err(`wrong-counter: the release says ${value.releaseCounter}, the desired state ${context.releaseCounter}`)
  }
  const reason = incompatibility(value.compat, context)
  if (reason !== null) return err(`incompatible: ${reason}`)
  return ok({
    release: release.sha256,
    releaseCounter: value.releaseCounter,
    version: modelVersion(value.family, value.manifest),
    manifest: value.manifest,
    model: value.objects.model,
    vectors: value.objects.vectors,
  })
}

const incompatibility = (
  { opset, minimumRuntime, memoryBytes }: Release['compat'],
  host: { readonly runtimeVersion: string; readonly memoryBytes: number },
): string | null => {
  if (opset > MAX_OPSET) return `operator set ${opset}, this runtime takes ${MAX_OPSET}`
  if (compareVersions(host.runtimeVersion, minimumRuntime) < 0) {
    return `needs ONNX Runtime ${minimumRuntime}, here is ${host.runtimeVersion}`
  }
  if (memoryBytes !== undefined && memoryBytes > host.memoryBytes) {
    return `needs ${memoryBytes} bytes of memory, here are ${host.memoryBytes}`
  }
  return null
}

/** Negative when `a` is older than `b`; both "major.minor.patch", a suffix of `a` is ignored. */
export const compareVersions = (a: string, b: string): number => {
  const left = a.split(/[.-]/).map(Number)
  const right = b.split('.').map(Number)
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The manifest must speak of the same files as the release, and its tokens must be ones that this station makes. */
export const judgeManifest = (
  bytes: Uint8Array,
  bundle: BundleRef,
  context: { readonly family: string; readonly tokenizerDigest: (specs: readonly ModalitySpec[]) => string },
): Result<Manifest, string> => {
  const manifest = parseManifest(bytes)
  if (manifest === null) return err('wrong-manifest: it is no manifest/1')
  if (manifest.family !== context.family) return err(`wrong-manifest: it is of family ${manifest.family}`)
  for (const role of ['model', 'vectors'] as const) {
    const { sha256, length } = manifest.files[role]
    if (sha256 !== bundle[role].sha256 || length !== bundle[role].length) {
      return err(`wrong-manifest: it names another ${role} file than the release`)
    }
  }
  const digest = context.tokenizerDigest(manifest.modalities)
  if (digest !== manifest.tokenizerDigest) {
    return err(`tokenizer: the model wants ${manifest.tokenizerDigest.slice(0, 12)}, here is ${digest.slice(0, 12)}`)
  }
  return ok(manifest)
}

export const parseManifest = (bytes: Uint8Array): Manifest | null => {
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null // text that is no JSON is no manifest
  }
}
