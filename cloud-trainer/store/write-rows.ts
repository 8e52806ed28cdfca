/** One arrived row into the tables of its kind. Repeats are kept out before, by the row's key. */
import type { Database } from '#shared/platform/sqlite.ts'
import { assertNever } from '#shared/std/assert.ts'
import type { CloudBody } from '#shared/wire/intake.ts'
import { toColumns } from './content.ts'
import { prepareTrafficCount } from './traffic.ts'

export type RowKey = { readonly node: string; readonly epoch: number; readonly seq: number }

type Body<K extends CloudBody['kind']> = Extract<CloudBody, { readonly kind: K }>

export const prepareRowWriter = (database: Database): ((key: RowKey, body: CloudBody, nowMs: number) => void) => {
  // A station may send a reading again under a new number (say, after a restore): the first stands.
  const reading = database.prepare(
    `INSERT INTO reading
       (node, id, sensor, deployment, modality, observed_at_ms, observed_at_text, clock, content, bytes, media)
     VALUES (@node, @id, @sensor, @deployment, @modality, @observedAtMs, @observedAtText, @clock, @content, @bytes, @media)
     ON CONFLICT DO NOTHING`,
  )
  // Becoming final makes no new revision, and doesn't end.
  const observation = database.prepare(
    `INSERT INTO observation (node, id, epoch, revision, deployment, start_ms, end_ms, final, readings)
     VALUES (@node, @id, @epoch, @revision, @deployment, @startMs, @endMs, @final, @readings)
     ON CONFLICT DO UPDATE SET final = max(final, excluded.final)`,
  )
  const latest = database.prepare(
    `INSERT INTO latest_observation (node, id, epoch, revision) VALUES (@node, @id, @epoch, @revision)
     ON CONFLICT DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision
     WHERE (excluded.epoch, excluded.revision) > (epoch, revision)`,
  )
  const prediction = database.prepare(
    `INSERT INTO prediction (node, observation, epoch, seq, revision, model, body)
     VALUES (@node, @observation, @epoch, @seq, @revision, @model, @body)`,
  )
  const countTraffic = prepareTrafficCount(database)
  const report = database.prepare(
    `INSERT INTO report (epoch, seq, at_ms, topic, state, detail, model, generation)
     VALUES (@epoch, @seq, @atMs, @topic, @state, @detail, @model, @generation)`,
  )

  const writeReading = ({ node }: RowKey, { reading: it }: Body<'reading'>): void => {
    reading.run({
      node,
      id: it.id,
      sensor: it.sensor,
      deployment: it.deployment,
      modality: it.modality,
      observedAtMs: it.observedAtMs,
      observedAtText: it.observedAtText,
      clock: JSON.stringify(it.clock),
      ...toColumns(it.content),
      media: it.media === null ? null : JSON.stringify(it.media),
    })
  }

  const writeObservation = ({ node, epoch }: RowKey, it: Body<'observation'>): void => {
    const { id, revision } = it
    observation.run({
      node,
      id,
      epoch,
      revision,
      deployment: it.deployment,
      startMs: it.startMs,
      endMs: it.endMs,
      final: it.final ? 1 : 0,
      readings: JSON.stringify(it.readings),
    })
    latest.run({ node, id, epoch, revision })
  }

  return (key, body, nowMs) => {
    switch (body.kind) {
      case 'reading':
        return writeReading(key, body)
      case 'observation':
        return writeObservation(key, body)
      case 'prediction': {
        const { observation: of, revision, model } = body
        prediction.run({ ...key, observation: of, revision, model, body: JSON.stringify(body) })
        countTraffic(body, nowMs)
        return
      }
      case 'report': {
        const { atMs, topic, state, detail, model, generation } = body
        report.run({ epoch: key.epoch, seq: key.seq, atMs, topic, state, detail, model, generation })
        return
      }
      default:
        return assertNever(body)
    }
  }
}
