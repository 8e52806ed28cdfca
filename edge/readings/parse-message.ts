/**
 * What a sensor sent becomes a reading, or a `Rejected` with the first reason against it. Nothing a sensor
 * can send makes this throw; nothing wrong gets past it, so nobody behind it checks again.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import {
  type DeploymentId,
  isLevel,
  isPlainId,
  type NodeId,
  type ReadingId,
  type SensorId,
  type Sha256,
} from '#shared/domain/ids.ts'
import type { Reading, Rejected } from '#shared/domain/reading.ts'
import type { ClockBlock } from '#shared/domain/time.ts'
import type { Clock } from '#shared/std/clock.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { logMel } from '#shared/tokens/log-mel.ts'
import { type SensorMessage, sensorMessageSchema } from '#shared/wire/sensor-message.ts'
import { sensorOfTopic } from '#shared/wire/topics.ts'
import { type ContentProfile, contentOf } from './content.ts'
import type { Fault } from './fault.ts'
import { observedTime } from './instant.ts'
import { decodeJson } from './json.ts'

/** What the station's configuration knows about a sensor. */
export type SensorProfile = ContentProfile & {
  readonly id: SensorId
  /** For messages that don't say. */
  readonly modality: string
  /** For messages that don't say. */
  readonly deployment: DeploymentId
}

export type ParsedReading = {
  readonly reading: Reading
  /** The raw file to keep, as it came; its hash is `reading.media.sha256`. */
  readonly media: Uint8Array | null
}

export type ReadingParserOptions = {
  readonly node: NodeId
  /** Up to the sensor's level; messages on other topics are of a name that the station no longer has. Any when absent. */
  readonly topicBase?: string
  /** By the topic's level. */
  readonly sensors: ReadonlyMap<string, SensorProfile>
  /** Takes sensors that are not configured when their messages name modality and deployment. */
  readonly acceptUnknownSensors?: boolean
  readonly maxPayloadBytes?: number
  readonly clock: Clock
}

export type ReadingParser = (topic: string, payload: Uint8Array) => Promise<Result<ParsedReading, Rejected>>

/** Half a minute of 16-bit sound at 12 kHz, or a 700 kB picture, in base64. */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576
/** Of a rejected payload this much is kept. */
export const MAX_KEPT_BYTES = 65_536
const MAX_DETAIL_LENGTH = 300

/** Throws an InvariantError when a profile's front end can't work, so that it fails at start and not at the first sound. */
export const createReadingParser = (options: ReadingParserOptions): ReadingParser => {
  const { clock, sensors } = options
  for (const { frontEnd } of sensors.values()) if (frontEnd !== undefined) logMel(new Float64Array(0), frontEnd)
  return async (topic, payload) => {
    const receivedAtMs = clock.nowMs()
    const parsed = await parse(options, topic, payload, receivedAtMs)
    if (parsed.ok) return parsed
    const { reason, detail } = parsed.error
    return err({
      reason,
      detail: detail.slice(0, MAX_DETAIL_LENGTH),
      topic,
      receivedAtMs,
      // A copy: the link's buffers are not ours to keep.
      payload: Uint8Array.from(payload.subarray(0, MAX_KEPT_BYTES)),
    })
  }
}

const parse = async (
  options: ReadingParserOptions,
  topic: string,
  payload: Uint8Array,
  nowMs: number,
): Promise<Result<ParsedReading, Fault>> => {
  const { node, topicBase = '', maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES } = options
  const sensor = sensorOfTopic(topic)
  if (!topic.startsWith(topicBase)) return fault('unknown-device', `topic: is not below ${topicBase}`)
  if (sensor === null || !isLevel(sensor)) return fault('unknown-device', 'topic: names no sensor')
  if (payload.length > maxPayloadBytes)
    return fault('oversized', `payload: ${payload.length} bytes, more than ${maxPayloadBytes}`)
  const json = decodeJson(payload)
  if (!json.ok) return json
  const message = parseMessage(json.value)
  if (!message.ok) return message
  const profile = profileOf(options, sensor, message.value)
  if (!profile.ok) return profile
  const observedAtMs = observedTime(message.value.observed_at, nowMs)
  if (!observedAtMs.ok) return observedAtMs
  const parsed = await contentOf(message.value, profile.value)
  if (!parsed.ok) return parsed
  const { content, file } = parsed.value
  const reading: Reading = {
    id: message.value.id as ReadingId,
    node,
    sensor: profile.value.id,
    deployment: profile.value.deployment,
    modality: profile.value.modality,
    observedAtMs: observedAtMs.value,
    observedAtText: message.value.observed_at,
    clock: clockOf(message.value),
    content,
    media: file && { sha256: sha256(file.bytes), mediaType: file.mediaType },
  }
  return ok({ reading, media: file?.bytes ?? null })
}

const fault = (reason: Fault['reason'], detail: string) => err({ reason, detail })

const parseMessage = (json: unknown): Result<SensorMessage, Fault> => {
  const parsed = sensorMessageSchema.safeParse(json)
  if (!parsed.success) return err(schemaFault(json, parsed.error))
  const { id, deployment } = parsed.data
  // A lone surrogate becomes another character on its way to disk, and two ids one.
  if (!id.isWellFormed() || /[\x00-\x1f\x7f]/.test(id)) return fault('wrong-schema', 'id: has control characters')
  if (deployment !== undefined && !isPlainId(deployment))
    return fault('wrong-schema', 'deployment: has other characters than letters, digits and _ . : @ -')
  return ok(parsed.data)
}

/** The first issue; where a number was wanted and JSON's 1e999 or the text "NaN" came, that is the reason. */
const schemaFault = (json: unknown, error: z.ZodError): Fault => {
  const [issue] = error.issues
  if (issue === undefined) return { reason: 'wrong-schema', detail: 'payload: is no reading' }
  const field = issue.path.length === 0 ? 'payload' : z.core.toDotPath(issue.path)
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], json)
  const isNotANumber =
    typeof value === 'number'
      ? !Number.isFinite(value)
      : typeof value === 'string' && isNumberWanted(issue) && /^[-+]?(nan|inf(inity)?)$/i.test(value.trim())
  return isNotANumber
    ? { reason: 'not-a-number', detail: `${field}: ${value} is no number` }
    : { reason: 'wrong-schema', detail: `${field}: ${issue.message}` }
}

const isNumberWanted = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'invalid_type' && (issue.expected === 'number' || issue.expected === 'int')

/** The sensor's profile, with the message's own words for modality and deployment where it has some. */
const profileOf = (
  { sensors, acceptUnknownSensors = false }: ReadingParserOptions,
  sensor: string,
  message: SensorMessage,
): Result<SensorProfile, Fault> => {
  const known = sensors.get(sensor)
  if (known === undefined && !acceptUnknownSensors)
    return fault('unknown-device', `topic: "${sensor}" is no sensor of this station`)
  const modality = message.modality ?? known?.modality
  const deployment = message.deployment ?? known?.deployment
  if (modality === undefined || deployment === undefined)
    return fault('unknown-device', `topic: "${sensor}" is not configured and doesn't say its modality and deployment`)
  return ok({ ...known, id: sensor as SensorId, modality, deployment: deployment as DeploymentId })
}

const clockOf = ({ clock }: SensorMessage): ClockBlock => {
  if (clock === undefined) return { source: 'none' }
  return {
    source: clock.source,
    ...(clock.err_s === undefined ? {} : { errorSeconds: clock.err_s }),
    ...(clock.synced_at === undefined ? {} : { syncedAt: clock.synced_at }),
  }
}

const sha256 = (bytes: Uint8Array): Sha256 => createHash('sha256').update(bytes).digest('hex') as Sha256
