/** Who this database is: its epoch, and how often a station was started on it. */
import type { Database } from '#shared/platform/sqlite.ts'

export type Identity = { readonly epoch: string; readonly boot: number }

export const readIdentity = (database: Database): Identity =>
  database.prepare<[], Identity>('SELECT epoch, boot FROM identity').get()!

/** Counts this start. */
export const countBoot = (database: Database): Identity =>
  database.prepare<[], Identity>('UPDATE identity SET boot = boot + 1 RETURNING epoch, boot').get()!
