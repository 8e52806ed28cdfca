/**
 * Threads that compute with the same weights and leave their parts of a gradient in shared memory. A batch is divided by
 * observations and the parts are summed in the order of the threads: an equal number of threads gives equal bits.
 */
import { openThread } from '#shared/platform/thread.ts'
import { assert } from '#shared/std/assert.ts'
import { sharedFloats } from './shared-floats.ts'
import { deal } from './split.ts'

/** What every member of a team gets, beside its own data. */
export type MemberData = {
  /** Shared: what every request computes with. */
  readonly weights: Float32Array
  /** Shared: where this thread leaves its part of the gradient. */
  readonly gradient: Float32Array
}

export type Team<Request, Answer> = AsyncDisposable & {
  /** What the next requests compute with. */
  readonly use: (weights: Float32Array) => void
  /**
   * Sums the gradients that the threads leave when each is asked for its share: observations by index, the longest
   * first. `places`: of each observation. The gradient is overwritten by the next call.
   */
  readonly gradient: (
    places: readonly number[],
    ask: (share: readonly number[]) => Request,
  ) => Promise<{ readonly answers: readonly Answer[]; readonly gradient: Float32Array }>
  /** Asks whichever thread is free for the next task. */
  readonly each: <Task>(
    tasks: readonly Task[],
    ask: (task: Task) => Request,
    take: (task: Task, answer: Answer) => void,
  ) => Promise<void>
}

/** `entry`: file of the threads, whose worker data are `data` and `MemberData`. `total`: length of the weights. */
export const openTeam = <Data, Request, Answer>(
  entry: URL,
  data: Data,
  { workers, total }: { readonly workers: number; readonly total: number },
): Team<Request, Answer> => {
  assert(Number.isInteger(workers) && workers > 0, 'at least one worker trains', { workers })
  const weights = sharedFloats(total)
  const members = Array.from({ length: workers }, () => {
    const gradient = sharedFloats(total)
    const own: Data & MemberData = { ...data, weights, gradient }
    return { gradient, thread: openThread<Request, Answer>(entry, own) }
  })
  const sum = new Float32Array(total)
  return {
    use: (from) => weights.set(from),
    gradient: async (places, ask) => {
      const shares = deal(places, workers)
      const busy = members.flatMap((member, w) => (shares[w]!.length > 0 ? [{ ...member, share: shares[w]! }] : []))
      const answers = await Promise.all(busy.map(({ thread, share }) => thread.ask(ask(share))))
      addUp(
        busy.map((member) => member.gradient),
        sum,
      )
      return { answers, gradient: sum }
    },
    each: async (tasks, ask, take) => {
      const queue = tasks.values()
      const work = async ({ thread }: (typeof members)[number]): Promise<void> => {
        for (const task of queue) take(task, await thread.ask(ask(task)))
      }
      // One task ahead, so that no thread waits while its answer is taken.
      await Promise.all(members.flatMap((member) => [work(member), work(member)]))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(members.map(({ thread }) => thread.close()))
    },
  }
}

/** In float64 and in order, then rounded once. */
const addUp = (parts: readonly Float32Array[], sum: Float32Array): void => {
  if (parts.length === 2) addUpTwo(parts[0]!, parts[1]!, sum)
  else addUpBlocks(parts, sum)
}

const addUpTwo = (first: Float32Array, second: Float32Array, sum: Float32Array): void => {
  for (let i = 0; i < sum.length; i++) sum[i] = first[i]! + second[i]!
}

/** Numbers that are summed at a time: as many as stay in the nearest cache. */
const BLOCK = 2048

/** Part by part within a block: to turn from part to part at each number takes more than twice as long. */
const addUpBlocks = (parts: readonly Float32Array[], sum: Float32Array): void => {
  const block = new Float64Array(BLOCK)
  for (let from = 0; from < sum.length; from += BLOCK) {
    const size = Math.min(BLOCK, sum.length - from)
    block.fill(0)
    for (const part of parts) for (let i = 0; i < size; i++) block[i]! += part[from + i]!
    for (let i = 0; i < size; i++) sum[from + i] = block[i]!
  }
}
