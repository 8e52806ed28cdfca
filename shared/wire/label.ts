/** Labels on their way to the cloud (schema label/1). The observation's id is deployment/windowStartMs. */
import { z } from 'zod'

export const labelSchema = z.object({
  schema: z.literal('label/1'),
  id: z.string().min(1).max(128),
  observation: z.string().min(1).max(192),
  present: z.array(z.string()).max(10000),
  absent: z.array(z.string()).max(10000),
  by: z.string().max(128),
})

export type LabelMessage = z.infer<typeof labelSchema>
