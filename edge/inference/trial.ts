/**
 * The trial of a candidate before it may replace the running model: in a process of its own with limits on time
 * and memory it is checked, loaded, and has to reproduce its self-test vectors, one by one and in batches. Nothing
 * that the candidate does touches the caller, whose event loop stays free.
 */
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { SelfTestCase } from '#shared/bundle/vectors.ts'
import type { Log } from '#shared/platform/log.ts'
import { InferenceError } from './inference-error.ts'
import { allHidden } from './interface.ts'
import { type LoadedModel, logitsOf } from './logits-of.ts'
import { layoutFor, openModel } from './open-model.ts'
import { describeDifference, disturbHidden } from './self-test.ts'
import { readVectors } from './vectors-file.ts'

export type TrialOptions = {
  readonly threads?: number
  /** What the candidate may take beyond an idle process. */
  readonly memoryBytes?: number
  readonly loadLimitMs?: number
  readonly answerLimitMs?: number
  /** For the whole trial. */
  readonly limitMs?: number
  readonly log: Log
}

export type TrialBundle = { readonly manifest: Manifest; readonly modelFile: string; readonly vectorsFile: string }
export type TrialVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** What an idle process holds, with some room. */
const IDLE_BYTES = 160 << 20
const DEFAULT_MEMORY_BYTES = 512 << 20

const refused = (reason: string): TrialVerdict => ({ ok: false, reason: reason.slice(0, 500) })

export const createTrial =
  (options: TrialOptions) =>
  async (bundle: TrialBundle, signal: AbortSignal): Promise<TrialVerdict> => {
    const startMs = performance.now()
    const verdict = await judge(bundle, options, signal).catch((cause: unknown) => {
      if (cause instanceof InferenceError) return refused(`${cause.code}: ${cause.message}`)
      throw cause
    })
    options.log.info({ ...verdict, ms: Math.round(performance.now() - startMs) }, 'trial of a candidate')
    return verdict
  }

const judge = async (bundle: TrialBundle, options: TrialOptions, signal: AbortSignal): Promise<TrialVerdict> => {
  const { manifest, modelFile, vectorsFile } = bundle
  const { threads = 1, memoryBytes = DEFAULT_MEMORY_BYTES, limitMs = 120_000 } = options
  const layout = layoutFor(manifest)
  const cases = await readVectors(vectorsFile, manifest, layout)
  const limit = AbortSignal.timeout(limitMs)
  try {
    await using process = await openModel(
      manifest,
      layout,
      {
        model: modelFile,
        threads,
        // Other providers are compared with the CPU (choose-provider.ts), the CPU with the trainer.
        provider: 'cpu',
        loadLimitMs: options.loadLimitMs ?? 30_000,
        answerLimitMs: options.answerLimitMs ?? 10_000,
        killAboveBytes: IDLE_BYTES + memoryBytes,
        limits: { moreBytes: memoryBytes, cpuSeconds: 5 + (threads * limitMs) / 1000 },
      },
      AbortSignal.any([signal, limit]),
    )
    const reason = await firstFault({ process, manifest, layout }, cases)
    return reason === null ? { ok: true } : refused(reason)
  } catch (cause) {
    if (signal.aborted) return refused('aborted')
    if (limit.aborted) return refused(`timeout: the trial took longer than ${limitMs} ms`)
    throw cause
  }
}

/** Every case alone and in batches, hidden values changed, and an observation of which nothing is visible. */
const firstFault = async (model: LoadedModel, cases: readonly SelfTestCase[]): Promise<string | null> => {
  const { manifest, layout } = model
  const alone = await logitsOf(model, cases, 1)
  const together = await logitsOf(model, cases)
  const disturbed = await logitsOf(
    model,
    cases.map((one) => ({ hidden: one.hidden, features: disturbHidden(one, layout) })),
    1,
  )
  for (const [i, { name, logits }] of cases.entries()) {
    const reason =
      describeDifference(name, manifest, { found: alone[i]!, expected: logits, whose: 'by the trainer' }) ??
      describeDifference(name, manifest, { found: together[i]!, expected: alone[i]!, whose: 'alone, not in a batch' })
    if (reason !== null) return `vectors: ${reason}`
    if (!sameBits(disturbed[i]!, alone[i]!)) return `vectors: case "${name}" answers by values that are hidden`
  }
  await logitsOf(model, [allHidden(layout)])
  return null
}

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))
