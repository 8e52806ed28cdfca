/** What a station tells the world about an observation (schema event/1): new, revised, or ended. */
import { z } from 'zod'
import { clockSchema } from './sensor-message.ts'

export const eventSchema = z.object({
  schema: z.literal('event/1'),
  /** Same for the same (event, rev, type, model): consumers drop repeats by it. */
  id: z.string(),
  node: z.string(),
  epoch: z.string(),
  event: z.string(),
  rev: z.int().positive(),
  type: z.enum(['new', 'update', 'end']),
  final: z.boolean(),
  /** Start of the window, ISO 8601 with offset. */
  observed_at: z.string(),
  clock: clockSchema,
  historical: z.boolean(),
  /** null while the station has no model. */
  model: z.string().nullable(),
  labels: z.array(z.object({ taxon: z.string(), probability: z.number().min(0).max(1) })),
  evidence: z.record(z.string(), z.object({ tokens: z.int(), of: z.int() })),
})

export type EventMessage = z.infer<typeof eventSchema>
