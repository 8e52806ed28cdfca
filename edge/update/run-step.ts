/** Runs one step of the plan and says what came of it. It decides nothing; what may be repeated is. */

import type { Trust } from '#shared/bundle/keys.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import { MAX_OBJECT_BYTES, MAX_RELEASE_BYTES } from '#shared/bundle/release.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assertNever } from '#shared/std/assert.ts'
import { readBundle } from './active-model.ts'
import { judgeManifest, judgeRelease } from './judge.ts'
import type { ObjectFolder } from './objects.ts'
import type { UpdateStep } from './plan.ts'
import type { UpdateEvent } from './reduce.ts'
import type { BundleRef, ObjectRef } from './state.ts'

export type TrialResult = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Loads the candidate apart from the running model and has it reproduce its self-test vectors. */
export type Trial = (
  bundle: { readonly manifest: Manifest; readonly modelFile: string; readonly vectorsFile: string },
  /** The verdict is no longer wanted; a child may be ended at once. */
  signal: AbortSignal,
) => Promise<TrialResult>

export type Tools = {
  readonly trust: Trust
  readonly family: string
  readonly tenant: string | null
  readonly runtimeVersion: string
  readonly memoryBytes: number
  readonly objects: ObjectFolder
  /** False: the file came whole, but not with its hash. */
  readonly download: (object: ObjectRef, signal: AbortSignal) => Promise<boolean>
  readonly trial: Trial
  readonly tokenizerDigest: (specs: readonly ModalitySpec[]) => string
}

/** Steps that leave the process; the others are done once they are saved. */
export type ActiveStep = Extract<UpdateStep, { kind: 'resolve' | 'download' | 'probe' | 'activate' }>

/** Room that stays free for the readings, whatever the model. */
const RESERVED_BYTES = 32 << 20

class NoRoomError extends Error {
  readonly code = 'no-room'
  readonly hint = 'free some disk space; the update goes on by itself'
  constructor(message: string) {
    super(message)
    this.name = 'NoRoomError'
  }
}

/** Throws on trouble that may pass (disk, abort); the step is then planned again. */
export const runStep = (step: ActiveStep, tools: Tools, signal: AbortSignal): Promise<UpdateEvent> => {
  switch (step.kind) {
    case 'resolve':
      return resolveRelease(step, tools, signal)
    case 'download':
      return downloadBundle(step.bundle, tools, signal)
    case 'probe':
      return probe(step.bundle, tools, signal)
    case 'activate':
      return activate(step.bundle, tools)
    default:
      return assertNever(step)
  }
}

const failed = (reason: string): TrialResult => ({ ok: false, reason })

const refused = (reason: string, blame = false): UpdateEvent => ({ kind: 'refused', reason, blame })

const resolveRelease = async (
  { release, releaseCounter }: Extract<ActiveStep, { kind: 'resolve' }>,
  tools: Tools,
  signal: AbortSignal,
): Promise<UpdateEvent> => {
  if (release.length > MAX_RELEASE_BYTES) return refused(`bad-release: ${release.length} bytes long`)
  await needRoom([release], tools.objects)
  if (!(await tools.download(release, signal))) return { kind: 'corrupt' }
  const bytes = await tools.objects.read(release)
  if (bytes === null) return { kind: 'corrupt' }
  const judged = judgeRelease(release, bytes, { ...tools, releaseCounter })
  return judged.ok ? { kind: 'resolved', bundle: judged.value } : refused(judged.error)
}

/** The manifest comes first: a model that can't run here is not worth its megabytes. */
const downloadBundle = async (bundle: BundleRef, tools: Tools, signal: AbortSignal): Promise<UpdateEvent> => {
  const { objects } = tools
  await needRoom([bundle.manifest, bundle.model, bundle.vectors], objects)
  if (!(await tools.download(bundle.manifest, signal))) return { kind: 'corrupt' }
  const bytes = await objects.read(bundle.manifest)
  if (bytes === null) return { kind: 'corrupt' }
  const manifest = judgeManifest(bytes, bundle, tools)
  if (!manifest.ok) return refused(manifest.error, true)
  for (const object of [bundle.vectors, bundle.model]) {
    if (!(await tools.download(object, signal))) return { kind: 'corrupt' }
  }
  return { kind: 'downloaded' }
}

const probe = async (bundle: BundleRef, tools: Tools, signal: AbortSignal): Promise<UpdateEvent> => {
  const candidate = await readBundle(tools.objects, bundle)
  if (candidate === null) return { kind: 'corrupt' }
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<TrialResult>()
  const stop = () => aborted.resolve(failed('aborted'))
  signal.addEventListener('abort', stop, { once: true })
  const verdict = tools.trial(candidate, signal).catch((cause: unknown) => failed(String(cause)))
  const result = await Promise.race([verdict, aborted.promise])
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  return result.ok ? { kind: 'probed' } : { kind: 'probeFailed', reason: result.reason }
}

/** What was tried is what is activated: the bytes are hashed once more. */
const activate = async (bundle: BundleRef, { objects }: Tools): Promise<UpdateEvent> =>
  (await readBundle(objects, bundle)) === null ? { kind: 'corrupt' } : { kind: 'activated' }

const needRoom = async (files: readonly ObjectRef[], objects: ObjectFolder): Promise<void> => {
  const absent = files.filter((file) => !objects.isStored(file)).reduce((sum, { length }) => sum + length, 0)
  const neededBytes = 2 * Math.min(absent, 2 * MAX_OBJECT_BYTES + MAX_RELEASE_BYTES) + RESERVED_BYTES
  const freeBytes = await objects.freeBytes()
  if (absent > 0 && freeBytes < neededBytes) throw new NoRoomError(`${neededBytes} bytes needed, ${freeBytes} free`)
}
