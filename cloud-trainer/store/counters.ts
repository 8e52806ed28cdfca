/** Named counts that survive restarts and change in the transaction that they count. */
import type { Database } from '#shared/platform/sqlite.ts'

export type Counters = {
  readonly add: (name: string, amount?: number) => void
  readonly all: () => Readonly<Record<string, number>>
}

export const openCounters = (database: Database): Counters => {
  const add = database.prepare<[string, number]>(
    'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
  )
  const all = database.prepare<[], { name: string; value: number }>('SELECT name, value FROM counter ORDER BY name')
  return {
    add: (name, amount = 1) => {
      if (amount !== 0) add.run(name, amount)
    },
    all: () => Object.fromEntries(all.all().map(({ name, value }) => [name, value])),
  }
}
