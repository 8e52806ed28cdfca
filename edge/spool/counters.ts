/** Named counts that survive restarts and change in the transaction that they count. */
import type { Database } from '#shared/platform/sqlite.ts'

export type Counters = { readonly add: (name: string, amount?: number) => void }

export const openCounters = (database: Database): Counters => {
  const add = database.prepare<[string, number]>(
    'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
  )
  return {
    add: (name, amount = 1) => {
      if (amount !== 0) add.run(name, amount)
    },
  }
}

export const readCounters = (database: Database): Readonly<Record<string, number>> =>
  Object.fromEntries(
    database
      .prepare<[], { name: string; value: number }>('SELECT name, value FROM counter ORDER BY name')
      .all()
      .map(({ name, value }) => [name, value]),
  )
