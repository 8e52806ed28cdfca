/**
 * Runs of training one after another: each is planned, worked on by a child process, judged, published and asked for.
 * Every step is written down before the next, so that a crash anywhere repeats a step and loses none.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Signer } from '#shared/bundle/keys.ts'
import { digestFile } from '#shared/platform/hashed-file.ts'
import type { Log } from '#shared/platform/log.ts'
import type { Clock } from '#shared/std/clock.ts'
import type { ServiceConfig } from './config.ts'
import { BUNDLE_FOLDER } from './job.ts'
import { type JobProcess, startJob } from './job-process.ts'
import type { SubsetTraffic } from './judged-subsets.ts'
import { KEPT_MODEL_FILES } from './kept-model.ts'
import { currentRun, type Occasion, planRun, referenceRun } from './plan-run.ts'
import type { PublishedRelease, Registry } from './registry/registry.ts'
import { RegistryError } from './registry/registry-error.ts'
import { restoreBundle } from './restore-bundle.ts'
import type { Rollout } from './rollout/rollout.ts'
import {
  type Damage,
  OUTCOME_FILE,
  type Outcome,
  openRuns,
  putOutcomeAside,
  type Run,
  readOutcome,
} from './run-record.ts'
import type { ServiceEvent } from './service-event.ts'

export type LearningOptions = {
  readonly config: ServiceConfig
  readonly runsFolder: string
  readonly storeFile: string
  readonly labelledCount: () => number
  /** What stations have lately asked their models with. */
  readonly traffic: () => readonly SubsetTraffic[]
  readonly registry: Registry
  readonly rollout: Pick<Rollout, 'target'>
  readonly signer: Signer
  readonly emit: (event: ServiceEvent) => void
  readonly clock: Clock
  readonly log: Log
  /** Wait before a step that failed is tried again. */
  readonly retryMs?: number
}

export type Learning = AsyncDisposable & {
  /** Something may be new: looks whether there is work. Cheap, and may be called at any rate. */
  readonly wake: () => void
  /** The clock says that it is time. */
  readonly strike: () => void
  /** Version that stations are asked to run, or null. */
  readonly model: () => string | null
}

/** A child process that dies so often with the same data won't come through. */
const MOST_FAILURES = 3
/** Between two looks, while rows pour in. */
const LOOK_MS = 250
/** Of the run whose model is current, and of the one that new models are held to; of the others only the record stays. */
const KEPT_OF_CURRENT = [BUNDLE_FOLDER, OUTCOME_FILE, ...KEPT_MODEL_FILES]
const KEPT_OF_REFERENCE = [BUNDLE_FOLDER, OUTCOME_FILE]

export const startLearning = async (options: LearningOptions): Promise<Learning> => {
  const { config, registry, emit, clock, log, retryMs = 5000 } = options
  const { family, cohort } = config
  const runs = openRuns(options.runsFolder)
  /** What is on disk; nobody else writes there but the child, and only its outcome. */
  let known = await runs.list()
  const record = async (run: Run): Promise<void> => {
    await runs.write(run)
    known = [...known.filter(({ number }) => number !== run.number), run]
  }

  const stopping = new AbortController()
  let job: JobProcess | null = null
  let clockStruck = false

  const begin = async (labelled: number, occasion: Occasion): Promise<void> => {
    const current = currentRun(known)
    const number = (known.at(-1)?.number ?? 0) + 1
    log.info({ run: number, labelled, occasion }, 'a training run begins')
    await record({
      schema: 'run/1',
      number,
      createdAtMs: clock.nowMs(),
      endedAtMs: null,
      family,
      parent: current?.state.version ?? null,
      parentRun: current?.number ?? null,
      referenceRun: referenceRun(known),
      // A seed of its own for each run, and the same one when the run is repeated.
      recipe: { ...config.recipe, seed: config.recipe.seed + number - 1 },
      storeFile: options.storeFile,
      tolerance: config.tolerance,
      traffic: options.traffic().map(({ modalities, predictions }) => ({ modalities: [...modalities], predictions })),
      trafficShare: config.trafficShare,
      minimumPositives: config.minimumPositives,
      labelled,
      failures: 0,
      state: { kind: 'running' },
      outcome: null,
    })
  }

  /** A run that has nothing to be compared with fails, and so would each after it. */
  const mendCurrent = async (): Promise<void> => {
    const current = currentRun(known)
    const published = current === null ? null : await registry.current(current.family)
    if (current === null || published?.version !== current.state.version) return
    const restored = await restoreBundle(join(runs.folderOf(current.number), BUNDLE_FOLDER), published, registry)
    if (restored.length > 0)
      log.warn({ run: current.number, restored }, 'files of the current model were lost or damaged')
  }

  const tellDamage = (run: number, { file, detail }: Damage): void => {
    log.warn({ run, file, detail }, 'a file of a run is damaged; the run is done again')
    emit({ kind: 'damaged', run, file, detail })
  }
  const outcomeOf = (number: number): Promise<Outcome | null> =>
    readOutcome(runs.folderOf(number), (damage) => tellDamage(number, damage))

  const work = async (run: Run): Promise<Run> => {
    const { number } = run
    if (stopping.signal.aborted) return run
    await mendCurrent()
    await outcomeOf(number)
    job = startJob(options.runsFolder, number, (progress) => emit({ kind: 'training', run: number, ...progress }))
    const exit = await job.ended
    job = null
    const outcome = await outcomeOf(number)
    const endedAtMs = clock.nowMs()
    if (outcome?.kind === 'failed') return { ...run, endedAtMs, outcome, state: { kind: 'failed' } }
    if (outcome !== null) {
      const state = { kind: outcome.verdict.kind === 'publish' ? 'accepted' : 'refused' } as const
      return { ...run, endedAtMs, outcome, state }
    }
    if (stopping.signal.aborted) return run
    // What ended it (a full disk, too little memory) may pass.
    const waitMs = retryMs * 2 ** run.failures
    log.warn({ run: number, exit, waitMs }, 'a training process ended without an outcome')
    await wait(waitMs)
    return afterFailure(run, exit, clock.nowMs())
  }

  /** A release that was made just before a crash is found again, not made twice. */
  const release = async ({ number, family }: Run): Promise<PublishedRelease> => {
    const bundleFolder = join(runs.folderOf(number), BUNDLE_FOLDER)
    const manifest = await digestFile(join(bundleFolder, 'manifest.json'))
    const current = await registry.current(family)
    if (current !== null && current.release.manifest.sha256 === manifest?.sha256) return current
    return registry.publish({ bundleFolder, family, signers: [options.signer], createdAtMs: clock.nowMs() })
  }

  const pathOf = async ({ sha256 }: { readonly sha256: string }): Promise<string> =>
    (await registry.blob(sha256))?.file ?? ''

  /** What was judged is not there to be published any more. Its checkpoints are, so the same model is soon made again. */
  const again = async (run: Run, detail: string): Promise<Run> => {
    const folder = runs.folderOf(run.number)
    tellDamage(run.number, { file: join(folder, BUNDLE_FOLDER), detail })
    await putOutcomeAside(folder)
    const running: Run = { ...run, endedAtMs: null, outcome: null, state: { kind: 'running' } }
    return afterFailure(running, `a damaged bundle: ${detail}`, clock.nowMs())
  }

  const publish = async (run: Run): Promise<Run> => {
    const published = await release(run).catch((cause: unknown) => {
      if (cause instanceof RegistryError && cause.code === 'bad-bundle') return cause.message
      throw cause
    })
    if (typeof published === 'string') return again(run, published)
    const { version, releaseCounter, document } = published
    const { manifest, objects } = published.release
    const files = {
      manifest: await pathOf(manifest),
      model: await pathOf(objects.model),
      vectors: await pathOf(objects.vectors),
    }
    emit({ kind: 'published', run: run.number, version, releaseCounter, scores: scoresOf(run), files })
    // Of the run, whose model it is: the service may have been told another one since.
    const { family } = run
    const { generation } = await options.rollout.target({ cohort, family, release: document, releaseCounter })
    emit({ kind: 'targeted', run: run.number, cohort, generation })
    return { ...run, state: { kind: 'published', version, releaseCounter, generation } }
  }

  /** Only these files are needed again: of the current model to go on from, of both to compare with. */
  const tidy = async (): Promise<void> => {
    const current = currentRun(known)?.number
    const reference = referenceRun(known)
    for (const { number, state } of known) {
      if (state.kind === 'running' || state.kind === 'accepted') continue
      await runs.strip(number, number === current ? KEPT_OF_CURRENT : number === reference ? KEPT_OF_REFERENCE : [])
    }
  }

  const step = (run: Run | undefined): Promise<Run> | null => {
    if (run?.state.kind === 'accepted') return publish(run)
    return run?.state.kind === 'running' && config.isTraining ? work(run) : null
  }

  /** False when there is nothing to do. */
  const turn = async (): Promise<boolean> => {
    const next = step(known.at(-1))
    if (next !== null) {
      const run = await next
      await record(run)
      for (const event of newsOf(run)) emit(event)
      await tidy()
      return true
    }
    if (known.at(-1)?.state.kind === 'running') return false
    const labelled = options.labelledCount()
    const occasion = planRun(known, labelled, clockStruck, config)
    clockStruck = false
    if (occasion !== null) await begin(labelled, occasion)
    return occasion !== null
  }

  const wait = (ms: number): Promise<void> => delay(ms, undefined, { signal: stopping.signal }).catch(() => {}) // an abort is seen by the loop

  let working: Promise<void> | null = null
  let isWoken = false
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      isWoken = false
      try {
        if (await turn()) continue
        await wait(LOOK_MS)
        if (!isWoken) return
      } catch (cause) {
        log.error({ cause: String(cause), retryMs }, 'a step of a training run failed; trying again')
        await wait(retryMs)
      }
    }
  }
  const wake = (): void => {
    isWoken = true
    working ??= loop().finally(() => {
      working = null
    })
  }

  return {
    wake,
    strike: () => {
      clockStruck = true
      wake()
    },
    model: () => currentRun(known)?.state.version ?? null,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await job?.stop()
      await working
    },
  }
}

const afterFailure = (run: Run, exit: string, nowMs: number): Run => {
  const failures = run.failures + 1
  if (failures < MOST_FAILURES) return { ...run, failures }
  const message = `the training process ended ${failures} times without an outcome, last with ${exit}`
  return {
    ...run,
    failures,
    endedAtMs: nowMs,
    state: { kind: 'failed' },
    outcome: { kind: 'failed', code: 'crashed', message, seconds: 0 },
  }
}

const scoresOf = ({ outcome }: Run): Readonly<Record<string, number>> =>
  outcome?.kind === 'trained' ? Object.fromEntries(outcome.scores.map(({ subset, value }) => [subset, value])) : {}

const newsOf = ({ number, state, outcome }: Run): readonly ServiceEvent[] => {
  if (state.kind === 'failed' && outcome?.kind === 'failed') {
    return [{ kind: 'failed', run: number, code: outcome.code, detail: outcome.message }]
  }
  if (state.kind === 'refused' && outcome?.kind === 'trained' && outcome.verdict.kind === 'refuse') {
    const { reason, fell } = outcome.verdict
    return [{ kind: 'refused', run: number, reason, fell }]
  }
  return []
}
