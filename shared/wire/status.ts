/** Retained birth and will of a station (schema status/1), and the state of its model (schema model/1). */
import { z } from 'zod'

export const statusSchema = z.object({
  schema: z.literal('status/1'),
  state: z.enum(['ready', 'lost', 'stopped']),
  boot: z.int().nonnegative(),
  sensors: z.array(z.object({ id: z.string(), modality: z.string() })).optional(),
  model: z.string().nullable().optional(),
})

export const modelStateSchema = z.object({
  schema: z.literal('model/1'),
  installed: z.string().nullable(),
  latest: z.string().nullable(),
  phase: z.enum(['idle', 'downloading', 'shadow', 'canary', 'active', 'rolled_back']),
  progress: z.number().min(0).max(1),
})
