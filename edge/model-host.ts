/**
 * Keeps one inference process running for the station's active model: the next one is started before the old one is
 * let go, a dead one is started again, ever more slowly, and the update machine hears what became of a model.
 */
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { Log } from '#shared/platform/log.ts'
import { startPullLoop } from '#shared/streams/pull-loop.ts'
import type { InferenceModel } from './inference/inference.ts'
import type { ActiveModel } from './update/active-model.ts'

export type ModelHost = AsyncDisposable & {
  /** The process that answers now; null while there is none. */
  readonly current: () => InferenceModel | null
  /** Whether answers will come: false while none runs and the latest start has failed. */
  readonly isHopeful: () => boolean
  /** What should run from now on. */
  readonly want: (model: ActiveModel | null) => void
  /** It has answered, for this many observations. */
  readonly served: (model: InferenceModel, answers: number) => void
  /** It gave no answer, or a useless one; `isDead`: it never will. */
  readonly failed: (model: InferenceModel, reason: string, isDead: boolean) => void
}

export type ModelHostOptions = {
  readonly start: (model: ActiveModel) => Promise<InferenceModel>
  /** Has it answer before it is relied on; gives the number of answers. */
  readonly rehearse: (model: InferenceModel) => Promise<number>
  /** The running model is another one, or none. */
  readonly onChange: (version: ModelVersion | null) => void
  readonly onServed: (version: ModelVersion) => void
  readonly onFailed: (version: ModelVersion, reason: string) => void
  readonly log: Log
  readonly firstRetryMs?: number
}

/** One failure may be the machine's (memory, a signal); two without an answer between them are the model's. */
const FAILURES_TO_TELL = 2

export const startModelHost = (options: ModelHostOptions): ModelHost => {
  const { start, rehearse, onChange, onServed, onFailed, log, firstRetryMs = 500 } = options
  let wanted: ActiveModel | null = null
  let running: { readonly source: ActiveModel; readonly model: InferenceModel } | null = null
  /** In a row, of this version, over restarts of its process. */
  let failures = 0
  let blamed: ModelVersion | undefined
  let hasFailedToStart = false
  let retireeGone: Promise<void> = Promise.resolve()

  /** Lets the old one finish its answers. */
  const retire = (model: InferenceModel): void => {
    retireeGone = Promise.resolve(model[Symbol.asyncDispose]()).catch((cause: unknown) =>
      log.warn({ cause: String(cause) }, 'an inference process did not end well'),
    )
  }

  const put = (next: typeof running): void => {
    const before = running?.model ?? null
    running = next
    hasFailedToStart = false
    if (next?.model.version !== blamed) failures = 0
    if (before !== null) retire(before)
    onChange(next?.model.version ?? null)
  }

  const follow = async (): Promise<boolean> => {
    const target = wanted
    if (target === (running?.source ?? null)) return false
    await retireeGone // three models at once is more memory than a station has
    if (target === null) {
      put(null)
      return true
    }
    const { model, answers } = await launch(target).catch((cause: unknown) => {
      hasFailedToStart = true
      if (running === null) onChange(null)
      onFailed(target.version, String(cause))
      throw cause
    })
    if (wanted !== target) retire(model)
    else {
      put({ source: target, model })
      served(model, answers)
    }
    return true
  }

  const launch = async (target: ActiveModel) => {
    const model = await start(target)
    try {
      return { model, answers: await rehearse(model) }
    } catch (cause) {
      retire(model)
      throw cause
    }
  }

  const served = ({ version }: InferenceModel, answers: number): void => {
    failures = 0
    for (let i = 0; i < answers; i++) onServed(version)
  }

  const loop = startPullLoop({
    work: follow,
    onFailure: (cause) => log.error({ cause: String(cause) }, 'the model could not be started'),
    firstRetryMs,
  })

  return {
    current: () => running?.model ?? null,
    isHopeful: () => running !== null || !hasFailedToStart,
    want: (model) => {
      wanted = model
      loop.wake()
    },
    served,
    failed: (model, reason, isDead) => {
      if (running?.model !== model) return
      log.warn({ version: model.version, reason }, 'inference failed')
      if (isDead) {
        running = null
        retire(model)
        loop.wake()
      }
      failures = blamed === model.version ? failures + 1 : 1
      blamed = model.version
      if (failures >= FAILURES_TO_TELL) onFailed(model.version, reason)
    },
    [Symbol.asyncDispose]: async () => {
      await loop[Symbol.asyncDispose]()
      if (running !== null) retire(running.model)
      running = null
      await retireeGone
    },
  }
}
