/**
 * Pulls a content-addressed file over MQTT, unit by unit. The station asks for what it lacks, so a cut costs
 * what was on the wire and a restart goes on where the disk stands. Any unit may be lost, repeated or forged:
 * the hash of the whole decides.
 */
import { filter, firstValueFrom } from 'rxjs'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'
import type { Clock } from '#shared/std/clock.ts'
import { BLOB_RESPONSE_HEADER_BYTES, type BlobRequest } from '#shared/wire/desired.ts'
import type { ObjectFolder, PartFile } from './objects.ts'
import type { ObjectRef } from './state.ts'
import { nextWindow, rangesOf, unitLength } from './units.ts'

export type DownloadOptions = {
  readonly link: MqttLink
  readonly requestTopic: string
  readonly responseTopic: string
  readonly objects: ObjectFolder
  readonly clock: Clock
  /** Bytes of a unit. It stays the same for a file, or the file starts again. */
  readonly unitBytes: number
  /** Least silence after which the rest is asked for again. */
  readonly silenceMs: number
  /** Called when more units are safe on disk. */
  readonly onProgress: (object: ObjectRef, missingUnits: number) => void
}

const FIRST_WINDOW = 8
const MAX_RANGES = 64
/** While nobody answers at all, asking slows down to this. */
const LONGEST_SILENCE_MS = 60_000

/** Resolves with false when the file came whole but not with its hash. Rejects when aborted, and on disk errors. */
export const downloadObject = async (
  object: ObjectRef,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<boolean> => {
  const { objects, unitBytes } = options
  if (objects.isStored(object) && (await objects.isIntact(object))) return true
  const part = await objects.openPart(object, unitBytes)
  try {
    await fetchMissing(part, object, options, signal)
  } finally {
    await part.close()
  }
  return objects.settle(object)
}

const fetchMissing = async (
  part: PartFile,
  object: ObjectRef,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<void> => {
  let window = FIRST_WINDOW
  let roundTripMs = 0
  let silences = 0
  for (let missing = part.missing(); missing.length > 0; missing = part.missing()) {
    signal.throwIfAborted()
    await untilConnected(options.link, signal)
    const silenceMs = Math.min(LONGEST_SILENCE_MS, Math.max(options.silenceMs, 4 * roundTripMs) * 2 ** silences)
    const answer = await fetchWindow(part, object, missing.slice(0, window), silenceMs, options, signal)
    await part.commit()
    const left = part.missing().length
    if (left < missing.length) options.onProgress(object, left)
    if (answer.firstAfterMs !== null) roundTripMs = answer.firstAfterMs
    silences = left < missing.length ? 0 : Math.min(8, silences + 1)
    window = nextWindow(window, answer.outcome)
  }
}

type Answer = { readonly outcome: 'complete' | 'silent'; readonly firstAfterMs: number | null }

/** One request and its answers. Only units asked for are taken, each once, so memory stays within the window. */
const fetchWindow = async (
  part: PartFile,
  object: ObjectRef,
  units: readonly number[],
  silenceMs: number,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<Answer> => {
  signal.throwIfAborted() // an event that has already happened is not heard below
  const { link, clock, unitBytes } = options
  const ranges = rangesOf(units, MAX_RANGES)
  const wanted = new Set(ranges.flatMap(([first, last]) => units.filter((unit) => unit >= first && unit <= last)))
  const prefix = Buffer.from(object.sha256.slice(0, 16), 'hex')
  const writes: Promise<void>[] = []
  const askedAtMs = clock.monotonicMs()
  let firstAfterMs: number | null = null
  const { promise, resolve } = Promise.withResolvers<'complete' | 'silent'>()
  let timer = setTimeout(resolve, silenceMs, 'silent')
  const stop = () => resolve('silent')
  signal.addEventListener('abort', stop, { once: true })
  const subscription = link.deliveries$
    .pipe(filter(({ topic }) => topic === options.responseTopic))
    .subscribe(({ payload }) => {
      const unit = unitOf(payload, prefix)
      if (unit === null || !wanted.has(unit)) return
      if (payload.length - BLOB_RESPONSE_HEADER_BYTES !== unitLength(object.length, unitBytes, unit)) return
      wanted.delete(unit)
      firstAfterMs ??= clock.monotonicMs() - askedAtMs
      const write = part.write(unit, payload.subarray(BLOB_RESPONSE_HEADER_BYTES))
      // The failure itself is thrown below, where all writes are awaited; a full disk ends the window now.
      write.catch(stop)
      writes.push(write)
      clearTimeout(timer)
      if (wanted.size === 0) resolve('complete')
      else timer = setTimeout(resolve, silenceMs, 'silent')
    })
  try {
    const request: BlobRequest = { schema: 'blob-request/1', object: object.sha256, unitBytes, ranges }
    // A request lost with the connection is one silence; asking again is the cure for both.
    await link.publish(options.requestTopic, JSON.stringify(request), { qos: 0 }).catch(() => {})
    const outcome = await promise
    signal.throwIfAborted()
    return { outcome, firstAfterMs }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    subscription.unsubscribe()
    await Promise.all(writes)
  }
}

const unitOf = (payload: Uint8Array, prefix: Uint8Array): number | null => {
  if (payload.length <= BLOB_RESPONSE_HEADER_BYTES || Buffer.compare(payload.subarray(0, 8), prefix) !== 0) return null
  return new DataView(payload.buffer, payload.byteOffset).getUint32(8)
}

/** The link's stream says yes only once its subscriptions stand; `isConnected` says so a moment too early. */
const untilConnected = async (link: MqttLink, signal: AbortSignal): Promise<void> => {
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    await Promise.race([firstValueFrom(link.connected$.pipe(filter(Boolean)), { defaultValue: true }), aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
