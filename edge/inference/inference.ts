/** The running model: token sets in, calibrated probabilities with their evidence out. */
import { probabilitiesOf, subsetGroup, temperatureOf } from '#shared/bundle/calibration.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { Evidence } from '#shared/domain/prediction.ts'
import { taskOf } from '#shared/domain/task.ts'
import type { Log } from '#shared/platform/log.ts'
import { evidenceOf } from '#shared/tokens/evidence.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { InferenceError } from './inference-error.ts'
import { logitsOf } from './logits-of.ts'
import type { Provider } from './messages.ts'
import { layoutFor, openModel } from './open-model.ts'
import { openRenewed } from './renewed-process.ts'

export { InferenceError }

export type InferenceOptions = {
  readonly version: ModelVersion
  readonly manifest: Manifest
  readonly modelFile: string
  readonly threads?: number
  /** Not the CPU only after `chooseProvider` (choose-provider.ts) has compared it with the CPU. */
  readonly provider?: Provider
  /** Resident memory of the process above which it is replaced by a fresh one. */
  readonly memoryCeilingBytes?: number
  /** For 32 observations; then the process is killed. */
  readonly answerLimitMs?: number
  readonly loadLimitMs?: number
  readonly log: Log
}

/** In the order of the manifest's labels. */
type Answer = { readonly probabilities: number[]; readonly evidence: Evidence }

export type InferenceModel = AsyncDisposable & {
  readonly version: ModelVersion
  readonly layout: TokenLayout
  readonly manifest: Manifest
  /**
   * Calls are answered one after another. Throws InferenceError; once it was `crashed` or `timeout` it always will
   * be, and the owner starts another. Disposing answers the calls made before, and refuses later ones.
   */
  readonly predict: (rows: readonly TokenSet[]) => Promise<readonly Answer[]>
}

const MAX_WAITING_CALLS = 256
const DEFAULT_CEILING_BYTES = 512 << 20
const DEFAULT_ANSWER_LIMIT_MS = 10_000
const DEFAULT_LOAD_LIMIT_MS = 30_000

/** Throws InferenceError `load`. */
export const startInference = async (options: InferenceOptions): Promise<InferenceModel> => {
  const { version, manifest, modelFile, log, memoryCeilingBytes = DEFAULT_CEILING_BYTES } = options
  const layout = layoutFor(manifest)
  const model = await openRenewed({
    open: () =>
      openModel(manifest, layout, {
        model: modelFile,
        threads: options.threads ?? 1,
        provider: options.provider ?? 'cpu',
        loadLimitMs: options.loadLimitMs ?? DEFAULT_LOAD_LIMIT_MS,
        answerLimitMs: options.answerLimitMs ?? DEFAULT_ANSWER_LIMIT_MS,
        // The ceiling is for slow growth between answers; this one is for a run that goes astray.
        killAboveBytes: 2 * memoryCeilingBytes,
      }),
    ceilingBytes: memoryCeilingBytes,
    log: log.child({ version }),
  })
  log.info({ version, pid: model.pid(), provider: options.provider ?? 'cpu' }, 'model loaded')
  let tail: Promise<unknown> = Promise.resolve()
  let waitingCalls = 0
  let closing: Promise<void> | null = null

  const answer = async (rows: readonly TokenSet[]): Promise<readonly Answer[]> => {
    const logits = await logitsOf({ process: model, manifest, layout }, rows)
    return rows.map((tokens, i) => calibrated(manifest, layout, tokens, logits[i]!))
  }

  return {
    version,
    layout,
    manifest,
    predict: (rows) => {
      if (closing) return Promise.reject(new InferenceError('closed', `${version} is closed`))
      if (waitingCalls >= MAX_WAITING_CALLS) {
        return Promise.reject(new InferenceError('busy', `${waitingCalls} calls wait for ${version}`))
      }
      waitingCalls++
      const call = tail.then(() => answer(rows)).finally(() => waitingCalls--)
      // The next call waits for this one, however it ends; its own caller hears of a failure.
      tail = call.catch(() => {})
      return call
    },
    [Symbol.asyncDispose]: () => {
      closing ??= tail.then(() => model[Symbol.asyncDispose]()).then(() => log.info({ version }, 'model closed'))
      return closing
    },
  }
}

const calibrated = (manifest: Manifest, layout: TokenLayout, tokens: TokenSet, logits: Float32Array): Answer => {
  const evidence = evidenceOf(layout, tokens)
  const visible = layout.modalities.map((name) => evidence[name]!.visibleTokens)
  const temperature = temperatureOf(manifest.calibration, subsetGroup(layout.modalities, visible))
  return { probabilities: probabilitiesOf(logits, temperature, taskOf(manifest)), evidence }
}
