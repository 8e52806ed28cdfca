/** Whether a model may run on another provider than the CPU: only if both agree on its self-test vectors. */
import type { Log } from '#shared/platform/log.ts'
import { InferenceError } from './inference-error.ts'
import { logitsOf } from './logits-of.ts'
import type { Provider } from './messages.ts'
import { layoutFor, openModel } from './open-model.ts'
import { describeDifference } from './self-test.ts'
import type { TrialBundle } from './trial.ts'
import { readVectors } from './vectors-file.ts'

export type ProviderChoice = {
  readonly provider: Provider
  /** Why it is not the wanted one; null when it is. */
  readonly reason: string | null
}

/** The CPU, with a reason that is also logged, when the wanted provider can't be had or computes something else. */
export const chooseProvider = async (
  bundle: TrialBundle,
  { wanted, threads = 1, log }: { readonly wanted: Provider; readonly threads?: number; readonly log: Log },
): Promise<ProviderChoice> => {
  if (wanted === 'cpu') return { provider: 'cpu', reason: null }
  const reason = await disagreement(bundle, wanted, threads).catch((cause: unknown) => {
    if (cause instanceof InferenceError) return `${cause.code}: ${cause.message}`
    throw cause
  })
  if (reason === null) return { provider: wanted, reason }
  log.warn({ wanted, reason }, 'the model runs on the CPU')
  return { provider: 'cpu', reason }
}

const disagreement = async (
  { manifest, modelFile, vectorsFile }: TrialBundle,
  wanted: Provider,
  threads: number,
): Promise<string | null> => {
  const layout = layoutFor(manifest)
  const cases = await readVectors(vectorsFile, manifest, layout)
  const on = async (provider: Provider) => {
    await using process = await openModel(manifest, layout, {
      model: modelFile,
      threads,
      provider,
      loadLimitMs: 60_000,
      answerLimitMs: 30_000,
      killAboveBytes: 2 ** 32,
    })
    return logitsOf({ process, manifest, layout }, cases)
  }
  const found = await on(wanted)
  const expected = await on('cpu')
  for (const [i, { name }] of cases.entries()) {
    const pair = { found: found[i]!, expected: expected[i]!, whose: 'on the CPU' }
    const reason = describeDifference(name, manifest, pair)
    if (reason !== null) return reason
  }
  return null
}
