/**
 * Group commit without a timer: what arrives within one turn of the event loop is handled together right after
 * it. An idle process handles a lone message at once; a busy one finds more waiting after each commit.
 */

export type Grouping<T> = {
  /** False when there is no room; the item is then left alone. */
  readonly add: (item: T) => boolean
  readonly waiting: () => number
  /** Handles what still waits, then nothing more. */
  readonly close: () => Promise<void>
}

type GroupingOptions<T> = {
  readonly largest: number
  /** Items that may wait while a group is handled. */
  readonly capacity: number
  /** Must not throw or reject. Groups come one after another, in order of arrival. */
  readonly handle: (group: readonly T[]) => Promise<void>
}

export const createGrouping = <T>({ largest, capacity, handle }: GroupingOptions<T>): Grouping<T> => {
  let waiting: T[] = []
  let running: Promise<void> | null = null
  let isClosed = false

  const run = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const group = waiting.slice(0, largest)
      waiting = waiting.slice(largest)
      await handle(group)
      // Lets the sockets be read, so that the next group can grow.
      await new Promise((resolve) => setImmediate(resolve))
    }
    running = null
  }

  return {
    add: (item) => {
      if (isClosed || waiting.length >= capacity) return false
      waiting.push(item)
      running ??= run()
      return true
    },
    waiting: () => waiting.length,
    close: async () => {
      isClosed = true
      await running
    },
  }
}
