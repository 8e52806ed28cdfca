/**
 * Serves parts of content-addressed files over MQTT: a station asks for units, each answer is one message of
 * QoS 0 (8 bytes of the object's hash, 4 of the unit's index, the bytes). What gets lost is asked for again.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { isLevel } from '#shared/domain/ids.ts'
import type { Log } from '#shared/platform/log.ts'
import type { MqttLink } from '#shared/platform/mqtt-link.ts'
import { BLOB_RESPONSE_HEADER_BYTES, type BlobRequest, blobRequestSchema } from '#shared/wire/desired.ts'
import { createRequestQueue, type Work } from './request-queue.ts'

export type Blobs = {
  readonly blob: (sha256: string) => Promise<{ readonly file: string; readonly length: number } | null>
}

export type BlobServerOptions = {
  readonly link: MqttLink
  readonly blobs: Blobs
  readonly responseTopic: (node: string) => string
  readonly log: Log
}

export type BlobServer = {
  readonly accept: (node: string, payload: Uint8Array) => void
  readonly counts: () => { readonly unitsSent: number; readonly refused: number; readonly dropped: number }
  /** Ends after the unit that is being sent. */
  readonly close: () => Promise<void>
}

/** Units of one request that are looked at; a station's window is 64. */
const MAX_UNITS = 256
/** Answers larger than a packet of AWS IoT Core are never sent. */
const MAX_REQUEST_BYTES = 4096
const CONCURRENCY = 4

export const createBlobServer = ({ link, blobs, responseTopic, log }: BlobServerOptions): BlobServer => {
  const queue = createRequestQueue({ nodes: 10_000, requestsPerNode: 4, unitsPerTurn: 16 })
  const running = new Set<Promise<void>>()
  let isClosed = false
  let unitsSent = 0
  let refused = 0

  const send = async (node: string, work: Work): Promise<void> => {
    const blob = await blobs.blob(work.object)
    if (blob === null) {
      refused++
      log.warn({ node, object: work.object }, 'a file was asked for that was never published')
      return
    }
    await using handle = await open(blob.file, 'r')
    for (const unit of work.units) {
      if (isClosed || !link.isConnected()) return
      const message = await readUnit(handle, blob.length, work, unit)
      if (message === null) {
        refused++
        log.warn({ node, object: work.object, unit, bytes: blob.length }, 'a part was asked for that the file lacks')
        return
      }
      await link.publish(responseTopic(node), message, { qos: 0 })
      unitsSent++
    }
  }

  const pump = (): void => {
    while (!isClosed && running.size < CONCURRENCY) {
      const next = queue.take()
      if (next === null) return
      const { node, work } = next
      const turn = send(node, work)
        .catch((cause: unknown) => log.debug({ node, cause: String(cause) }, 'a part could not be sent'))
        .finally(() => {
          running.delete(turn)
          queue.done(node)
          pump()
        })
      running.add(turn)
    }
  }

  return {
    accept: (node, payload) => {
      const request = isLevel(node) ? parseRequest(payload) : null
      if (request === null) refused++
      else if (queue.add(node, { ...request, units: unitsOf(request.ranges) })) pump()
    },
    counts: () => ({ unitsSent, refused, dropped: queue.dropped() }),
    close: async () => {
      isClosed = true
      await Promise.all(running)
    },
  }
}

export const parseRequest = (payload: Uint8Array): BlobRequest | null => {
  if (payload.length > MAX_REQUEST_BYTES) return null
  try {
    const parsed = blobRequestSchema.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null // text that is no JSON is no request; the caller counts it
  }
}

/** Rising, each once, at most MAX_UNITS, however large the ranges say they are. */
export const unitsOf = (ranges: BlobRequest['ranges']): readonly number[] => {
  const units: number[] = []
  let next = 0
  for (const [first, last] of ranges) {
    for (let unit = Math.max(first, next); unit <= last && units.length < MAX_UNITS; unit++) units.push(unit)
    next = Math.max(next, last + 1)
  }
  return units
}

/** Null: the file ends before this unit. */
const readUnit = async (
  handle: FileHandle,
  length: number,
  { object, unitBytes }: Work,
  unit: number,
): Promise<Buffer | null> => {
  const start = unit * unitBytes
  const size = Math.min(unitBytes, length - start)
  if (size <= 0) return null
  const message = Buffer.alloc(BLOB_RESPONSE_HEADER_BYTES + size)
  message.write(object.slice(0, 16), 'hex')
  message.writeUInt32BE(unit, 8)
  const { bytesRead } = await handle.read(message, BLOB_RESPONSE_HEADER_BYTES, size, start)
  return bytesRead === size ? message : null
}
