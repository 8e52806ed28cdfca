/**
 * What the cloud makes of a message: rows of a node, a label, or something it can't use but keeps with the reason.
 * A row that is wrong inside an envelope that isn't keeps its sequence number: it counts as received, because
 * sending it again would not mend it, and a station must not be stuck behind it.
 */
import { z } from 'zod'
import { isLevel } from '#shared/domain/ids.ts'
import type { Reading } from '#shared/domain/reading.ts'
import { type WireBody, wireRowSchema } from './envelope.ts'
import { type LabelMessage, labelSchema } from './label.ts'
import { fromWireReading } from './reading-codec.ts'
import { parseLabelsTopic, parseUpTopic } from './topics.ts'

export type CloudBody =
  | { readonly kind: 'reading'; readonly reading: Reading }
  | Exclude<WireBody, { readonly kind: 'reading' }>

type BadReason =
  | 'malformed-json'
  | 'wrong-schema'
  | 'wrong-row'
  | 'contradictory-content'
  | 'contradictory-label'
  | 'unknown-lane'
  | 'bad-topic'

type Fault = { readonly reason: BadReason; readonly detail: string; readonly payload: Uint8Array }

export type ArrivedRow =
  | { readonly seq: number; readonly ok: true; readonly body: CloudBody }
  | { readonly seq: number; readonly ok: false; readonly fault: Fault }

export type Intake =
  | { readonly kind: 'rows'; readonly node: string; readonly epoch: string; readonly rows: readonly ArrivedRow[] }
  | { readonly kind: 'label'; readonly source: string; readonly label: LabelMessage }
  | { readonly kind: 'bad'; readonly topic: string; readonly fault: Fault }

/** The lane that stations send their rows on. */
export const DATA_LANE = 'data'

/** Rows are judged one by one, so the outer form leaves them open; a row without a usable number spoils the envelope. */
const outerSchema = z.object({
  schema: z.literal('envelope/1'),
  rows: z.array(z.looseObject({ seq: z.int().positive() })).min(1),
})

/** Null for topics that are neither rows nor labels: other parts of the cloud listen on the same link. */
export const parseIntake = (topic: string, payload: Uint8Array): Intake | null => {
  const up = parseUpTopic(topic)
  if (up !== null) return parseUp(topic, up, payload)
  const labels = parseLabelsTopic(topic)
  return labels === null ? null : parseLabel(topic, labels.source, payload)
}

const parseUp = (
  topic: string,
  { node, epoch, lane }: { readonly node: string; readonly epoch: string; readonly lane: string },
  payload: Uint8Array,
): Intake => {
  const bad = (reason: BadReason, detail: string): Intake => ({
    kind: 'bad',
    topic,
    fault: { reason, detail, payload },
  })
  if (!isLevel(node) || !isLevel(epoch)) return bad('bad-topic', 'node or epoch is no name')
  if (lane !== DATA_LANE) return bad('unknown-lane', `this cloud takes rows on the lane "${DATA_LANE}"`)
  const json = parseJson(payload)
  if (json === undefined) return bad('malformed-json', 'the payload is no JSON')
  const outer = outerSchema.safeParse(json)
  if (!outer.success) return bad('wrong-schema', z.prettifyError(outer.error))
  return { kind: 'rows', node, epoch, rows: outer.data.rows.map((row) => parseRow(node, row)) }
}

const parseRow = (node: string, row: { readonly seq: number }): ArrivedRow => {
  const { seq } = row
  const bad = (reason: BadReason, detail: string): ArrivedRow => ({
    seq,
    ok: false,
    fault: { reason, detail, payload: Buffer.from(JSON.stringify(row)) },
  })
  const parsed = wireRowSchema.safeParse(row)
  if (!parsed.success) return bad('wrong-row', z.prettifyError(parsed.error))
  const { body } = parsed.data
  if (body.kind !== 'reading') return { seq, ok: true, body }
  const reading = fromWireReading(node, body)
  return reading.ok
    ? { seq, ok: true, body: { kind: 'reading', reading: reading.value } }
    : bad('contradictory-content', reading.error)
}

const parseLabel = (topic: string, source: string, payload: Uint8Array): Intake => {
  const bad = (reason: BadReason, detail: string): Intake => ({
    kind: 'bad',
    topic,
    fault: { reason, detail, payload },
  })
  if (!isLevel(source)) return bad('bad-topic', 'the source is no name')
  const json = parseJson(payload)
  if (json === undefined) return bad('malformed-json', 'the payload is no JSON')
  const parsed = labelSchema.safeParse(json)
  if (!parsed.success) return bad('wrong-schema', z.prettifyError(parsed.error))
  const absent = new Set(parsed.data.absent)
  const both = parsed.data.present.find((taxon) => absent.has(taxon))
  if (both !== undefined) return bad('contradictory-label', `"${both}" is said to be present and absent`)
  return { kind: 'label', source, label: parsed.data }
}

const parseJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return undefined // neither decoder nor parser says anything a person could use; the payload is kept
  }
}
