/** Readings between the wire (JSON, media as base64) and the domain (typed arrays). */
import type { DeploymentId, NodeId, ReadingId, SensorId, Sha256 } from '#shared/domain/ids.ts'
import type { Reading, ReadingContent } from '#shared/domain/reading.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import type { WireBody } from './envelope.ts'

export type WireReading = Extract<WireBody, { kind: 'reading' }>
type WireContent = WireReading['content']

export const toWireReading = (reading: Reading): WireReading => ({
  kind: 'reading',
  id: reading.id,
  sensor: reading.sensor,
  deployment: reading.deployment,
  modality: reading.modality,
  observedAtMs: reading.observedAtMs,
  observedAtText: reading.observedAtText,
  clock: { ...reading.clock },
  content: toWireContent(reading.content),
  media: reading.media === null ? null : { ...reading.media },
})

/** The node is the topic's word, not the payload's. The error names what contradicts itself. */
export const fromWireReading = (node: string, wire: WireReading): Result<Reading, string> => {
  const content = fromWireContent(wire.content)
  if (!content.ok) return content
  const { source, errorSeconds, syncedAt } = wire.clock
  return ok({
    id: wire.id as ReadingId,
    node: node as NodeId,
    sensor: wire.sensor as SensorId,
    deployment: wire.deployment as DeploymentId,
    modality: wire.modality,
    observedAtMs: wire.observedAtMs,
    observedAtText: wire.observedAtText,
    clock: {
      source,
      ...(errorSeconds === undefined ? {} : { errorSeconds }),
      ...(syncedAt === undefined ? {} : { syncedAt }),
    },
    content: content.value,
    media: wire.media === null ? null : { sha256: wire.media.sha256 as Sha256, mediaType: wire.media.mediaType },
  })
}

const toWireContent = (content: ReadingContent): WireContent => {
  switch (content.kind) {
    case 'image':
      return { ...content, pixels: toBase64(content.pixels) }
    case 'audio':
      return { ...content, frontEnd: { ...content.frontEnd }, levels: toBase64(content.levels) }
    case 'series': {
      const variables = Object.entries(content.variables).map(([name, values]) => [name, values.slice()] as const)
      return { ...content, variables: Object.fromEntries(variables) }
    }
    case 'embedding':
      return { ...content, vector: [...content.vector] }
    case 'scalars':
      return { ...content, values: { ...content.values } }
    case 'location':
      return { ...content }
  }
}

const fromWireContent = (content: WireContent): Result<ReadingContent, string> => {
  switch (content.kind) {
    case 'image': {
      const pixels = fromBase64(content.pixels)
      const { width, height, channels } = content
      return pixels.length === width * height * channels && pixels.length > 0
        ? ok({ ...content, pixels })
        : err(`content.pixels: ${pixels.length} bytes are not ${width} × ${height} × ${channels}`)
    }
    case 'audio': {
      const levels = fromBase64(content.levels)
      const { frames, frontEnd } = content
      return levels.length === frames * frontEnd.bands && levels.length > 0
        ? ok({ ...content, levels })
        : err(`content.levels: ${levels.length} bytes are not ${frames} frames × ${frontEnd.bands} bands`)
    }
    default:
      return ok(content)
  }
}

const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
