/** The cloud's word, sent after its commit, that rows of one node's epoch are stored (schema receipt/1). */
import { z } from 'zod'

export const receiptSchema = z.object({
  schema: z.literal('receipt/1'),
  epoch: z.string(),
  /** Every row with seq ≤ upTo is stored. */
  upTo: z.int().nonnegative(),
  /** Further stored rows, as inclusive ranges, rising. */
  ranges: z.array(z.tuple([z.int().positive(), z.int().positive()])).max(64),
})

export type Receipt = z.infer<typeof receiptSchema>

/** A station's or the cloud's word that messages with these ids are durable (schema stored/1). */
export const storedSchema = z.object({ schema: z.literal('stored/1'), ids: z.array(z.string()).min(1) })
